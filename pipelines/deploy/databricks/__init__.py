"""The Databricks jobs: parses the bundle, and submits jobs to a workspace through its SDK.

Reads databricks.yml and infra/databricks/; writes jobs and files of a workspace. May import
runtime and below.
"""
