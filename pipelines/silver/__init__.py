"""Bronze, silver and quarantine: source files to rows as received, then to typed rows.

Reads source files and bronze; writes bronze, silver and quarantine. May import runtime and below.
"""
