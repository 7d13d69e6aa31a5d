"""Great Expectations between the layers.

Reads frames; writes data docs. May import spark and tables.
"""
