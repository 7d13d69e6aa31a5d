"""The artifact store: a folder, an S3 bucket.

Reads and writes objects by key. May import the modules of stores and of aws.
"""
