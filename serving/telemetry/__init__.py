"""Structured logs and metrics of the service.

Reads nothing; writes log lines and metric text. May import schema.
"""
