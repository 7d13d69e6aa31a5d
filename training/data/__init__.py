"""Labelled flights in memory, and their temporal split.

Reads gold frames; writes nothing. May import settings.
"""
