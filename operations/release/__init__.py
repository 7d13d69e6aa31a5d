"""Decisions about versions: policies, recording, and reconciliation with the ledger.

Reads the ledger; writes ledger entries, the release document and aliases. May import ledger.
"""
