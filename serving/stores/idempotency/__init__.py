"""The store of idempotency keys: SQLite, DynamoDB.

Reads and writes keys with their answers. May import `serving.stores.aws` and the modules beside it.
"""
