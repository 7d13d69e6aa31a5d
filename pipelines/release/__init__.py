"""Release of a registered version: packaging, promotion, and the decisions of a person.

Reads the registry and the ledger; writes model packages, ledger entries, the release document and
aliases. May import the runtime room and the rooms below it.
"""
