"""The base of every error that Ontime raises on purpose."""

from __future__ import annotations


class OntimeError(Exception):
    """Something a person can put right: what happened, which input, what to do, in one sentence.

    Each package derives its own errors from it; a command prints the sentence without a traceback
    and exits with 1.
    """
