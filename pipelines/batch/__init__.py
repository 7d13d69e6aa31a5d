"""Batch scoring: scores the feature table into a table of predictions.

Reads gold and the released package; writes predictions. May import run and below.
"""
