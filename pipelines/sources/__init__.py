"""Source files of any format, to one Parquet file of text columns.

Reads files, folders and buckets; writes staged Parquet. Imports no other room.
"""
