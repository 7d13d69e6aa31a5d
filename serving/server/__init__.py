"""The HTTP adapter: FastAPI, ASGI and the server process.

Reads requests from a socket; writes responses to it. May import the rest of serving but lambdas.
"""
