"""Silver to the online store.

Reads silver tables; writes online items and the network. May import tables.
"""
