"""The study: model variants, a parameter sweep, and proposed parameters.

Reads gold and the trained model; writes MLflow runs, the model card and a proposal. May
import runtime, gold and the rooms below them.
"""
