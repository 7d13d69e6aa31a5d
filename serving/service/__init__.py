"""The use cases of the prediction service over its stores.

Reads and writes the stores. May import inference, docs, models, online, history and below.
"""
