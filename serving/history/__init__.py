"""The prediction history above its store: group commit, fallbacks while it is down, retention.

Reads and writes the history store, the spool and a queue. May import telemetry, stores, schema and
settings.
"""
