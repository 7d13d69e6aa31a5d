"""The report on a model: plots and the model card, made from what was found out about it.

Reads an evaluation and its gates; returns images and HTML, writes nothing. May import training and
features.
"""
