"""Queues: SQLite, SQS.

Reads and writes messages. May import `serving.stores.aws` and the modules beside it.
"""
