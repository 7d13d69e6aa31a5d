"""Pipelines: the stages from raw files to a released model, and the commands a person runs.

Reads source files, tables, the registry and the artifact store; writes all of them, and it is the
only package that reads or writes tables. May import every other package.
"""
