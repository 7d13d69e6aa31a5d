"""The store of asynchronous jobs: SQLite, DynamoDB.

Reads and writes jobs. May import `serving.stores.aws` and the modules beside it.
"""
