"""Models: fit on samples, predict probabilities, export to ONNX.

Reads samples; writes ONNX bytes. May import data. A kind of model is one file in `kinds/`; outside
this room nothing asks which kind a model is.
"""
