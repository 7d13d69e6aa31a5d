"""The base class of every error that Ontime raises on purpose, and errors of the configuration."""

from __future__ import annotations


class OntimeError(Exception):
    """An error that its reader can correct; the message says what happened, where, and what to do.

    The message is one sentence. Each package derives its own errors from this class; a command
    prints the message without a traceback and exits with 1.
    """


class ConfError(OntimeError):
    """A configuration file is missing, unreadable, or holds a key or value that is not allowed."""
