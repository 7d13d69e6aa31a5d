"""The leak prover: no feature may change with what becomes known at or after its prediction time.

Works on Arrow tables of silver rows; no I/O. May import the rest of features.
"""
