"""Offline features: the feature table, a block of days at a time, in numpy.

Reads silver frames; writes nothing. May import contract, catalog, arithmetic, arrays and declare.
"""
