"""The jobs on Databricks: reads the bundle's files, talks to a workspace by its SDK.

Reads databricks.yml and infra/databricks/; writes jobs and files of a workspace. May import the
rest of pipelines; only `pipelines.submit` imports it.
"""
