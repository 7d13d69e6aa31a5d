"""Gold: silver tables to the feature table.

Reads silver; writes gold. May import runtime, quality, spark and tables.
"""
