"""Stores by concern: in each package a protocol, an embedded implementation, and one in AWS.

Artifacts (folder, S3); prediction history, online items, jobs and idempotency keys (SQLite,
DynamoDB); queues (SQLite, SQS). One contract test suite per protocol covers all implementations.
Reads and writes files, tables, queues and buckets. May import settings, `ontime_base` and the
bytes of an online item (`features.online.item_bytes`).
"""
