"""The contract between the feature table, a model and the service, and the reference page.

Reads the catalog; writes docs/features.md. May import catalog and declare.
"""
