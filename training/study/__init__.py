"""The results of a study: variants of the model, the trials of a sweep, the comparison.

Reads samples; writes nothing. May import the rest of training.
"""
