"""Evaluation of a model: metrics, intervals, gates, importance, the operating threshold.

Reads scores and labels; writes nothing. May import models and data.
"""
