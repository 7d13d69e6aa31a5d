"""How features are declared: inputs and windows, event streams, names of columns.

Reads and writes nothing; imports nothing else of features.
"""
