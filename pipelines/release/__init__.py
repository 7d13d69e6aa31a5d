"""A version's way to the service, and the decisions of people about it.

Reads the registry and the ledger; writes packages and ledger entries. May import runtime and below.
"""
