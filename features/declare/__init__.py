"""The language of features: declarations, event streams and the names of columns.

Reads and writes nothing; imports nothing else of features.
"""
