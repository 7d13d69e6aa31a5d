"""The models that may answer: release document, model packages, scorers.

Reads the artifact store; writes packages to it when publishing. May import stores and schema.
"""
