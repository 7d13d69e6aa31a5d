"""Stores of serving: each a protocol, one embedded implementation, and one in AWS.

Artifacts (folder, S3); prediction history, online features, jobs and idempotency keys (SQLite,
DynamoDB); queues (SQLite, SQS). One contract suite for each protocol in tests/serving/stores holds
for every implementation. May import ontime_base.errors and nothing else of the project.
"""
