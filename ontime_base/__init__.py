"""The shared ground of every package: the base error, the configuration loader, atomic file writes.

Reads conf/ and the environment; writes the files it is asked to write; imports nothing of Ontime.
"""
