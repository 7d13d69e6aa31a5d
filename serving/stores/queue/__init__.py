"""Queues: SQLite, SQS.

Reads and writes messages. May import the modules of stores and of aws.
"""
