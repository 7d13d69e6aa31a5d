"""Online state: events in, the items that features are computed from, the network of airports.

Reads and writes the online store. May import telemetry, stores and schema.
"""
