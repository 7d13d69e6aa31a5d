"""What the service counts, and how it tells it: the text format of Prometheus.

Counting costs a few hundred nanoseconds a request; everything else happens when somebody asks.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0),
)
"""Upper bounds of the latency histogram, seconds."""

Labels = tuple[tuple[str, str], ...]
_HELP: Final[Mapping[str, str]] = {
    "requests_total": "Requests answered, by route and status.",
    "request_seconds": "Time from a request's head to its answer.",
    "predictions_total": "Predictions made, by model version, alias and role (answer or shadow).",
    "missing_features_total": "Features without a value in predictions that were answered.",
    "stale_predictions_total": "Predictions from an online state older than `stale_min`.",
    "online_store_failures_total": "Requests answered without the online store.",
    "refused_artifacts_total": "Released artifacts that were refused (checksum, contract, test).",
    "release_refused": "1 while something released is refused and does not answer.",
    "release_revision": "Revision of the release document that is followed.",
    "model_weight": "Share of the flights that a version answers.",
    "spool_waiting": "Predictions given that wait for the history to be back.",
    "shed_total": "Requests refused to keep the others quick, by reason.",
    "shadow_dropped_total": "Shadow predictions that were not made, for want of time.",
    "events_total": "Events by what became of them: accepted, applied, dead.",
    "jobs_total": "Asynchronous predictions finished, by state.",
}
_GAUGES: Final = frozenset({"release_refused", "release_revision", "model_weight", "spool_waiting"})


class Metrics:
    """Counters of one process; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._latencies: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()
        self._missing: Counter[str] = Counter()
        self._counts: Counter[tuple[str, Labels]] = Counter()

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        with self._lock:
            self._requests[route, status] += 1
            buckets = self._latencies.get(route)
            if buckets is None:
                buckets = self._latencies[route] = [0] * (len(BOUNDS) + 1)
            buckets[bisect_left(BOUNDS, seconds)] += 1
            self._seconds[route] += seconds  # type: ignore[assignment] # a Counter adds any number

    def missing(self, features: Iterable[str]) -> None:
        """Count features without a value."""
        with self._lock:
            self._missing.update(features)

    def count(self, name: str, number: int = 1, **labels: str) -> None:
        """Count something that has happened."""
        with self._lock:
            self._counts[name, tuple(labels.items())] += number

    def text(self, now: Mapping[tuple[str, Labels], float]) -> bytes:
        """Return everything as text.

        Args:
            now: Values of this moment, by name and labels.
        """
        with self._lock:
            values: dict[tuple[str, Labels], float] = {
                **{
                    ("requests_total", (("route", route), ("status", str(status)))): number
                    for (route, status), number in self._requests.items()
                },
                **{
                    ("missing_features_total", (("feature", feature),)): number
                    for feature, number in self._missing.items()
                },
                **self._counts,
                **now,
            }
            histogram = list(self._histogram())
        lines = []
        for name in sorted({name for name, _ in values}):
            lines += _head(name, "gauge" if name in _GAUGES else "counter")
            lines += [
                f"ontime_{name}{_labels(labels)} {_number(value)}"
                for (which, labels), value in values.items()
                if which == name
            ]
        return "\n".join([*lines, *histogram, ""]).encode()

    def _histogram(self) -> Iterator[str]:
        name = "request_seconds"
        yield from _head(name, "histogram")
        for route, buckets in self._latencies.items():
            total = 0
            for bound, number in zip((*map(str, BOUNDS), "+Inf"), buckets, strict=True):
                total += number
                labels = _labels((("route", route), ("le", bound)))
                yield f"ontime_{name}_bucket{labels} {total}"
            labels = _labels((("route", route),))
            yield f"ontime_{name}_sum{labels} {self._seconds[route]:.6f}"
            yield f"ontime_{name}_count{labels} {total}"


def _head(name: str, kind: str) -> list[str]:
    return [f"# HELP ontime_{name} {_HELP[name]}", f"# TYPE ontime_{name} {kind}"]


def _labels(labels: Labels) -> str:
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{inner}}}" if inner else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
