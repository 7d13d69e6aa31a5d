"""Inference: one algorithm from requests to predictions, for one, several, a batch and shadows.

Reads online items; writes nothing: callers append the records. May import models, online,
telemetry, stores and schema.
"""
