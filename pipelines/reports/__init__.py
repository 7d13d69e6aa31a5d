"""Reports about tables: freshness and volume, quarantine.

Read tables; write pages below reports/ and figures. May import silver, gold and below.
"""
