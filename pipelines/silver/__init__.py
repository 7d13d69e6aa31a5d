"""Bronze, silver and quarantine: appends source rows as received, then derives typed rows.

Reads source files and bronze; writes bronze, silver and quarantine. May import runtime and below.
"""
