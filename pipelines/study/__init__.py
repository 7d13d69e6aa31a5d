"""The study: the model under other conditions, a sweep of parameters, a proposal.

Reads gold; writes MLflow runs and a proposal. May import runtime, gold and below.
"""
