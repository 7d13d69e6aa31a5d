"""The declaration language of features: inputs, windows, event streams, column names.

Reads and writes nothing; imports nothing else of features.
"""
