"""The ledger: hash-chained entries, and the state computed from them.

Reads and writes the ledger objects of the artifact store. May import serving's stores, clock and
release document.
"""
