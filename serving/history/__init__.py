"""The prediction history: group commit, and the fallbacks while its store is down.

Reads and writes the history store, a spool or a queue. May import telemetry, stores and schema.
"""
