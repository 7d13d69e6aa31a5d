"""The model registry: versions, aliases and the backends that differ between platforms.

Reads and writes the MLflow registry. May import tracking.
"""
