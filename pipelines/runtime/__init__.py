"""Running a stage: its context, whether to skip it, its record, its summary.

Reads settings and records; writes records and figures. May import online, quality, spark, tables
and sources.
"""
