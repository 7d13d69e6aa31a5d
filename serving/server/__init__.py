"""The HTTP adapter: Granian, FastAPI and the ASGI endpoint.

Reads requests from a socket and writes responses to it; batches predictions and runs the background
tasks. May import the rest of serving but lambdas.
"""
