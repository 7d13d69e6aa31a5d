"""Stores of serving: each a protocol, one embedded implementation, and one in AWS.

Artifacts (folder, S3), prediction history and online features (SQLite). One contract suite for each
protocol in tests/serving/stores holds for every implementation. May import features.errors and
nothing else of the project.
"""
