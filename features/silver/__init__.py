"""Silver: parses rows as received into typed rows and refused rows.

Maps bronze frames to silver candidates; no I/O. May import declare. Every bronze row is returned
exactly once: without a refusal (for the silver table), or with the rule that it breaks (for
quarantine).
"""
