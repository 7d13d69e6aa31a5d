"""Silver: rows as received in, typed rows and refused rows out.

Reads bronze frames handed to it; writes nothing; may import what `features` may. Every bronze row
comes out once: with its refusal null, for the silver table, or with the rule that it breaks, for
quarantine.
"""
