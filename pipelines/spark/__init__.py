"""The Spark session, and the capabilities of its platform.

Reads settings; writes logs/spark.log. May import tables and settings.
"""
