"""Inference: one algorithm for single, batch and shadow predictions.

Reads online items; writes nothing: callers append the records. May import models, online,
telemetry, stores and schema.
"""
