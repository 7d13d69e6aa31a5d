"""The API documentation: the OpenAPI document and its page.

Reads the schema; writes docs/openapi.json. May import schema.
"""
