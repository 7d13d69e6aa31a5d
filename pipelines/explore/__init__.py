"""Code of the notebooks: analyses and plots as functions on frames, and their execution.

Reads silver and gold frames, the registry and the ledger; writes nothing. May import the rest of
pipelines; only notebooks import it.
"""
