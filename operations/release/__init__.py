"""Decisions about versions: policies, recording them, making release document and aliases follow.

Reads the ledger; writes ledger entries, the release document and aliases. May import ledger.
"""
