"""Models: release document, model packages, scorers, and which model answers a flight.

Reads the artifact store; writes packages and the release document to it when publishing. May import
telemetry, stores, schema and the contract of `features`.
"""
