"""Offline features: the feature table, a block of days at a time, in numpy.

Maps silver frames or Arrow tables to feature rows; no I/O. May import contract, catalog,
arithmetic, arrays and declare.
"""
