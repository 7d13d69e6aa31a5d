"""The store of idempotency keys: SQLite, DynamoDB.

Reads and writes keys with their answers. May import the modules of stores and of aws.
"""
