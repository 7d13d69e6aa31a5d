"""The store of online items: SQLite, DynamoDB, memory; a cache; a circuit breaker.

Reads and writes items. May import `serving.stores.aws` and the modules beside it.
"""
