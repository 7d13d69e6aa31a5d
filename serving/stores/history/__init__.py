"""The store of the prediction history: SQLite, DynamoDB.

Reads and writes predictions. May import `serving.stores.aws` and the modules beside it.
"""
