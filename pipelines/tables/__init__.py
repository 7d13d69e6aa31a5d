"""Delta tables: the only code that reads or writes them.

Reads and writes Delta tables. May import spark.
"""
