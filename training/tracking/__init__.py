"""Training runs in MLflow: finding, opening and closing them, their files, their lineage.

Reads and writes the tracking store. May import fit, evaluate, models and data.
"""
