"""The leak prover: no feature may change with what becomes known at or after its prediction time.

Reads Arrow tables of silver rows; writes nothing. May import the rest of features.
"""
