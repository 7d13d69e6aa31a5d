"""Data quality: the expectations of silver and gold, their validation, and the data docs.

Reads frames; writes pages below reports/data_docs/. May import spark and tables.
"""
