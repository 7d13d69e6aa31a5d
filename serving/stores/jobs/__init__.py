"""The store of asynchronous jobs: SQLite, DynamoDB.

Reads and writes jobs. May import the modules of stores and of aws.
"""
