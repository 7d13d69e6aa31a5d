"""The stores in AWS: DynamoDB and SQS, through a small signed HTTP client instead of boto3.

Reads AWS's own environment variables; writes tables and queues that exist (`definitions.py` says
which). May import the stores' protocols and ontime_base.errors.
"""
