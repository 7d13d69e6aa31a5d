"""The metrics of the service: cheap counters, collected by prometheus_client when it is scraped.

Counting costs some 1.4 µs a request, a fifth of what the counters of prometheus_client
cost, and a function counts without importing it.
"""

from __future__ import annotations

import itertools
import threading
from bisect import bisect_left
from collections import Counter, deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prometheus_client import Metric

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
    "stale_predictions_total": "Predictions from an online state older than `stale_min`, or empty.",
    "prediction_warnings_total": "Warnings in predictions that were answered, by code.",
    "warned_share": "Share of the last 1,000 answered predictions that have a warning.",
    "online_store_failures_total": "Requests answered without the online store.",
    "refused_artifacts_total": "Released artifacts that were refused (checksum, contract, test).",
    "release_refused": "1 while something released is refused and does not answer.",
    "release_followed": "0 while the release document is gone, unreadable or older than before.",
    "release_revision": "Revision of the release document that is followed.",
    "model_weight": "Share of the flights that a version answers.",
    "spool_waiting": "Predictions given that wait for the history to be back.",
    "shed_total": "Requests refused to keep the others quick, by reason.",
    "shadow_dropped_total": "Shadow predictions that were not made, for want of time.",
    "events_total": "Events by what became of them: accepted, applied, dead.",
    "jobs_waiting": "Asynchronous predictions that wait, those in progress included.",
    "events_waiting": "Messages of events that wait, those in progress included.",
    "dead_letters": "Messages that could not be processed, by queue.",
    "jobs_total": "Asynchronous predictions finished, by state.",
}
_GAUGES: Final = frozenset(
    {
        "release_refused",
        "release_revision",
        "model_weight",
        "spool_waiting",
        "warned_share",
        "release_followed",
        "jobs_waiting",
        "events_waiting",
        "dead_letters",
    }
)
_RECENT: Final = 1_000


class Metrics:
    """Counters of one process; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._latencies: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()
        self._missing: Counter[str] = Counter()
        self._counts: Counter[tuple[str, Labels]] = Counter()
        self._warned: deque[bool] = deque(maxlen=_RECENT)

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

    def warned(self, codes: Sequence[str]) -> None:
        """Count an answered prediction with its warnings, which may be none."""
        with self._lock:
            self._warned.append(bool(codes))
            for code in codes:
                self._counts["prediction_warnings_total", (("code", code),)] += 1
                if code == "stale":
                    self._counts["stale_predictions_total", ()] += 1

    def count(self, name: str, number: int = 1, **labels: str) -> None:
        """Count something that has happened."""
        with self._lock:
            self._counts[name, tuple(labels.items())] += number

    def text(self, now: Mapping[tuple[str, Labels], float]) -> bytes:
        """Return everything in the text format of Prometheus.

        Args:
            now: Values of this moment, by name and labels.
        """
        # Imported late: most processes of a function are never scraped.
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 - see above

        registry = CollectorRegistry()
        registry.register(_Collector(self._families(now)))
        return generate_latest(registry)

    def _families(self, now: Mapping[tuple[str, Labels], float]) -> list[Metric]:
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
            if self._warned:
                values["warned_share", ()] = sum(self._warned) / len(self._warned)
            latencies = {
                route: (list(buckets), self._seconds[route])
                for route, buckets in self._latencies.items()
            }
        families: dict[str, Metric] = {}
        for (name, labels), value in values.items():
            family = families.get(name) or families.setdefault(name, _family(name))
            family.add_sample(f"ontime_{name}", dict(labels), value)
        return [*(families[name] for name in sorted(families)), _histogram(latencies)]


class _Collector:
    """Hands the registry of prometheus_client what was counted without it.

    Args:
        families: The families of one scrape.
    """

    def __init__(self, families: Iterable[Metric]) -> None:
        self._found = families

    def collect(self) -> Iterable[Metric]:
        """Return the families."""
        return self._found


def _family(name: str) -> Metric:
    from prometheus_client import Metric  # noqa: PLC0415 - see `Metrics.text`

    kind = "gauge" if name in _GAUGES else "counter"
    return Metric(f"ontime_{name.removesuffix('_total')}", _HELP[name], kind)


def _histogram(latencies: Mapping[str, tuple[Sequence[int], float]]) -> Metric:
    from prometheus_client.core import HistogramMetricFamily  # noqa: PLC0415 - see `Metrics.text`

    name = "request_seconds"
    family = HistogramMetricFamily(f"ontime_{name}", _HELP[name], labels=["route"])
    bounds = (*map(str, BOUNDS), "+Inf")
    for route, (buckets, seconds) in latencies.items():
        cumulative = zip(bounds, itertools.accumulate(buckets), strict=True)
        family.add_metric([route], buckets=list(cumulative), sum_value=seconds)
    return family
