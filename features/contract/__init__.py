"""The contract between feature table, model and service, and the generated feature reference.

Reads the catalog; the reference writes docs/features.md. May import catalog and declare.
"""
