"""Reports for people about tables: freshness, quarantine.

Read tables; write pages below reports/. May import silver, gold and below.
"""
