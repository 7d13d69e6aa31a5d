"""Online features: the features of one flight, looked up by entity key, without numpy.

Encodes and decodes the items and event sets that an online store holds as bytes; reads and writes
no store itself. May import contract, catalog, arithmetic, arrays, silver and declare.
"""
