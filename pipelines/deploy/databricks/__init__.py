"""The jobs on Databricks: reads the bundle, talks to a workspace by its SDK.

Reads databricks.yml and infra/databricks/; writes jobs and files of a workspace. May import
runtime and below.
"""
