"""DynamoDB and SQS through a small signed HTTP client instead of boto3 (docs/adr/0016).

Reads the environment variables of AWS; calls its services. May import `serving.stores.errors`.
"""
