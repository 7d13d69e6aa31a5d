"""Rows as arrays: Arrow tables, sorted events and the search in them, numeric operations.

Reads Arrow tables; writes nothing. May import declare.
"""
