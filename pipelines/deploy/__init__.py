"""Deployment: the wheel, the bundle of the Lambda function, the Databricks jobs.

Reads the repository; writes dist/ and a workspace. May import runtime and below.
"""
