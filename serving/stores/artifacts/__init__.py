"""The artifact store: a folder, an S3 bucket.

Reads and writes objects by key. May import `serving.stores.aws` and the modules beside it.
"""
