"""Gold: builds the feature table from silver, and reads it for training.

Reads silver; writes gold. May import runtime, quality, spark and tables.
"""
