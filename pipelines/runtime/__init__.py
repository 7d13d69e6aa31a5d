"""Runs a stage: its context, staleness, record and summary.

Reads settings and records; writes records and figures. May import online, quality, spark, tables
and sources.
"""
