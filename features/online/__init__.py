"""Online features: the features of one flight from the items of its entity keys, without numpy.

Reads and writes items as bytes that a store holds. May import contract, catalog, arithmetic,
arrays, silver and declare.
"""
