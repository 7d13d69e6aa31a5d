"""Silver rows as numpy arrays, and binary search in sorted events.

Converts Arrow tables to arrays and back; no I/O. May import declare.
"""
