"""Models: parameters and samples to a fitted model, its probabilities and its ONNX export.

Reads samples; writes ONNX bytes. May import data. A kind of model is one file in `kinds/`; outside
this room nothing asks which kind a model is.
"""
