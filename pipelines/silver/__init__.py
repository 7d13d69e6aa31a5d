"""Bronze and silver: source files to typed rows and quarantine.

Reads sources and bronze; writes bronze, silver and quarantine. May import runtime and below.
"""
