"""The Spark session, and what a platform allows.

Reads settings; writes logs/spark.log. May import tables and settings.
"""
