"""Silver to the online store, with the rows that events brought and silver does not have yet.

Reads silver tables; writes online items and the network. May import tables.
"""
