"""Serving: a released model version answers requests.

Reads the release document and model packages (artifact store) and online features (online store);
writes the prediction history; owns the formats of all of them. May import the Spark-free modules of
`features`; never pyspark, delta, mlflow, sklearn, pandas, training or pipelines.
"""
