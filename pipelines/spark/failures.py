"""Explains failures in the middle of the work that are of the machine, and not of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipelines.spark.memory import free_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

_AGAIN: Final = "What was finished is kept: run it again to continue."
_DISK: Final = (
    "the disk is full. Free some space, or set ONTIME_HOME to a folder on another disk. " + _AGAIN
)
_HEAP: Final = (
    "Spark ran out of its memory. Set spark.driver_memory in conf/ higher if the machine has more. "
    + _AGAIN
)
_MEMORY: Final = "this machine ran out of memory. Close something. " + _AGAIN
_JAVA: Final = "the Java process of Spark was killed, often for lack of memory{free}. " + _AGAIN
_WORKER: Final = "a worker process was killed, often for lack of memory{free}. " + _AGAIN
# Signs in the type and text of an error, the most telling first.
_SIGNS: Final = (
    ("No space left on device", _DISK),
    ("Disk quota exceeded", _DISK),
    ("disk is full", _DISK),
    ("java.lang.OutOfMemoryError", _HEAP),
    ("Java heap space", _HEAP),
    ("Python worker exited unexpectedly", _WORKER),
    ("BrokenProcessPool", _WORKER),
    ("MemoryError", _MEMORY),
    ("Py4JNetworkError", _JAVA),
    ("Answer from Java side is empty", _JAVA),
    ("py4j: ConnectionRefusedError", _JAVA),
)


def machine_failure(error: BaseException) -> str | None:
    """Return in a sentence what the machine lacks; None if an error is about something else.

    Args:
        error: Any error, with those that caused it.
    """
    texts = [_text(each) for each in _chain(error)]
    for sign, sentence in _SIGNS:
        if any(sign in text for text in texts):
            free = free_bytes()
            return sentence.format(free="" if free is None else f" ({free / 1e9:.1f} GB are free)")
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those before it, the newest first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__


def _text(error: BaseException) -> str:
    """Return type and text of an error; `py4j: ` before it if the connection to Java raised it."""
    trace, in_py4j = error.__traceback__, False
    while trace is not None:
        in_py4j |= str(trace.tb_frame.f_globals.get("__name__", "")).startswith("py4j.")
        trace = trace.tb_next
    return f"{'py4j: ' if in_py4j else ''}{type(error).__name__}: {error}"
