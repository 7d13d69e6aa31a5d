"""Training: the feature table in, a registered model version out.

Reads feature rows passed to it and the MLflow tracking store; writes runs, artifacts and versions
there. May import features; it never reads tables, and never imports serving or pipelines.
"""
