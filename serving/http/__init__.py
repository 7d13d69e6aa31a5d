"""HTTP without a framework: routes, endpoints, API keys, rate limit, load shedding.

Reads requests as bytes; returns responses as bytes. May import service and below.
"""
