"""What `make bench-run` measures: the work, its peer, and the commands of a person who waits.

Reads the source files of the real year; writes a home and tables of its own. Nothing imports it.
"""
