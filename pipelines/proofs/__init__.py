"""Proofs: no leak, no skew, retrain bit for bit; hostile cases against a running service.

Read tables, runs and versions; write figures. May import any room below and run.
"""
