"""The API documentation: the OpenAPI document, and the pages of Swagger UI and ReDoc.

Reads the structs of requests and responses and the files of an installed package; writes
docs/openapi.json. May import online (event messages) and schema.
"""
