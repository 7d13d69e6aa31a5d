"""The Spark session, and what a platform allows.

Reads settings; writes nothing. Imports no other room.
"""
