"""The online state: event intake, the items derived from events, and the network of airports.

Reads and writes the online store and the event queue. May import telemetry, stores, schema and
`features.online`.
"""
