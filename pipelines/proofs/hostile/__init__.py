"""Hostile cases against a running service: bad input, strangers, outages.

One module for each kind of case. Reads the released model of the home; writes to a copy and to the
figures. May import any room below and run.
"""
