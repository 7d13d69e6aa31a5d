"""From a registered version to the service, and the decisions of a person about it.

Reads the registry and the ledger; writes model packages, ledger entries, the release document and
aliases. May import the runtime room and the rooms below it.
"""
