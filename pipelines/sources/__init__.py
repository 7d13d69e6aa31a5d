"""Source files: found, read in any format, and staged as Parquet files of text columns.

Reads files, folders and buckets; writes staged Parquet. Imports no other room.
"""
