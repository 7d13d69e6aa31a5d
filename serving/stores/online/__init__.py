"""The store of online items: SQLite, DynamoDB, memory; a cache; a guard.

Reads and writes items. May import the modules of stores and of aws.
"""
