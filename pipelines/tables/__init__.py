"""Delta tables: the only code that reads or writes them, with Spark or with Arrow.

Reads and writes Delta tables and their cached content hashes. May import spark.
"""
