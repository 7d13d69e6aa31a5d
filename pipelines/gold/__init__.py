"""Gold: silver tables to the feature table, and the feature table as training reads it.

Reads silver; writes gold. May import runtime, quality, spark and tables.
"""
