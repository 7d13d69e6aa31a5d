"""Models: from samples to probabilities, and their export to ONNX.

Reads samples; writes ONNX bytes. May import data.
"""
