"""What is deployed: the wheel, the bundle of the function, the jobs of Databricks.

Reads the repository; writes dist/ and a workspace. May import runtime and below.
"""
