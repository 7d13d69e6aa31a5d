"""Proofs over the whole year: no leak, no skew, retrain bit for bit.

Read tables, runs and versions; write figures. May import any room below and run.
"""
