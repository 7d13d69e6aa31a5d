"""The shared ground of every package: errors, the settings loader, files that are written whole.

Reads conf/ and the environment; writes the files it is asked to write; imports nothing of Ontime.
"""
