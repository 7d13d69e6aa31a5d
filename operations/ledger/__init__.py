"""The ledger: hash-chained entries, and the state that follows from them.

Reads and writes ledger objects of the artifact store. May import serving's stores.
"""
