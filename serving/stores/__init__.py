"""Stores of serving: each a protocol with one embedded implementation that needs no server.

Artifacts (folder), prediction history and online features (SQLite). One contract suite per protocol
in tests/serving/stores holds for every implementation. May import features.errors and nothing else
of the project.
"""
