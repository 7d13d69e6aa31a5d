"""Materializes silver into the online store, and carries over events not in silver yet.

Reads silver tables; writes online items and the network. May import tables.
"""
