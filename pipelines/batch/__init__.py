"""Batch scoring: the feature table to a table of predictions.

Reads gold and the released package; writes predictions. May import run and below.
"""
