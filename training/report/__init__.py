"""The evaluation report of a model, its plots and its model card.

Reads an evaluation and its gates; returns images and HTML, writes nothing. May import training and
features.
"""
