"""The use cases of the prediction service over its stores, without HTTP.

Reads and writes every store of serving. May import inference, docs, models, online, history and the
rooms below them.
"""
