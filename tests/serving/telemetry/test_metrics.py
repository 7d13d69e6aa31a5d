"""What is counted, in the text format of Prometheus."""

from __future__ import annotations

import timeit
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from serving.http.api import Api
from serving.http.messages import Request
from serving.telemetry.metrics import Metrics
from tests.serving.support import SETTINGS, a_service, body_of

if TYPE_CHECKING:
    from pathlib import Path


def test_requests_predictions_and_what_was_missing_are_counted(home: Path) -> None:
    # Given some requests
    api = Api(a_service(home, SETTINGS))
    headers = {b"content-type": b"application/json"}
    for body in (body_of(), body_of(), b"{"):
        api.answer(Request("POST", "/model/predict", headers=headers, body=body))
    api.answer(Request("GET", "/people/ada"))
    # Then a scrape has them, by the parser of prometheus_client too
    reply = api.answer(Request("GET", "/metrics"))
    assert reply.media_type.startswith("text/plain; version=0.0.4")
    lines = reply.body.decode().splitlines()
    families = list(text_string_to_metric_families(reply.body.decode()))
    assert all(family.name.startswith("ontime_") for family in families)
    assert not [line for line in lines if "_created" in line]
    for expected in (
        'ontime_requests_total{route="/model/predict",status="200"} 2.0',
        'ontime_requests_total{route="/model/predict",status="400"} 1.0',
        'ontime_requests_total{route="other",status="404"} 1.0',
        'ontime_request_seconds_count{route="/model/predict"} 3.0',
        'ontime_predictions_total{alias="champion",role="answer",version="1"} 2.0',
        'ontime_missing_features_total{feature="temperature"} 2.0',
        "ontime_release_refused 0.0",
        "ontime_release_revision 1.0",
        'ontime_model_weight{alias="champion",version="1"} 1.0',
    ):
        assert expected in lines, expected
    # And each name is explained once
    helped = [line.split()[2] for line in lines if line.startswith("# HELP")]
    assert len(helped) == len(set(helped))


def test_the_histogram_adds_up() -> None:
    metrics = Metrics()
    for seconds in (0.0005, 0.001, 0.003, 99.0):
        metrics.request("/x", 200, seconds)
    text = metrics.text({}).decode()
    for bound, number in (("0.001", 2), ("0.0025", 2), ("0.005", 3), ("10.0", 3), ("+Inf", 4)):
        assert f'ontime_request_seconds_bucket{{le="{bound}",route="/x"}} {number}.0\n' in text
    assert 'ontime_request_seconds_sum{route="/x"} 99.0045\n' in text


def test_labels_are_escaped() -> None:
    metrics = Metrics()
    metrics.count("jobs_total", state='a"b\\c\nd')
    assert r'ontime_jobs_total{state="a\"b\\c\nd"} 1.0' in metrics.text({}).decode()


def test_counting_a_request_costs_next_to_nothing() -> None:
    metrics = Metrics()
    seconds = min(timeit.repeat(lambda: metrics.request("/x", 200, 0.001), number=10_000, repeat=3))
    assert seconds / 10_000 < 50e-6
