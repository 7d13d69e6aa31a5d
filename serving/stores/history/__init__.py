"""The store of the prediction history: SQLite, DynamoDB.

Reads and writes predictions. May import the modules of stores and of aws.
"""
