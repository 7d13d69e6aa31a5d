from __future__ import annotations

import shutil
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from benchmarks.serving.load import Load, LoadError, closed_load, open_load
from benchmarks.serving_bench import figures_of, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def server(statuses: tuple[int, ...]) -> Iterator[str]:
    """Answer requests with these statuses in turn."""
    answered: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            answered.append(statuses[len(answered) % len(statuses)])
            self.send_response(answered[-1])
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}/predict"
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


def test_an_open_load_offers_its_rate_and_counts_what_was_declined_in_order() -> None:
    # Given
    with server((200, 503, 200, 500)) as url:
        # When
        seen = open_load(url, [b"{}"], per_s=100, clients=2, seconds=0.4)
    # Then: 40 requests, a quarter of them declined in order and a quarter failed
    assert (seen.errors, seen.shed) == (20, 10)
    assert 0 < seen.p50_ms <= seen.p99_ms
    assert seen.per_s <= 50


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_a_closed_load_reports_answers_times_and_errors(tmp_path: Path) -> None:
    # Given
    bodies = tmp_path / "bodies.jsonl"
    bodies.write_text('{"a": 1}\n{"a": 2}\n')
    with server((200,)) as url:
        # When
        seen = closed_load(url, bodies, clients=1, seconds=1)
    # Then
    assert seen.per_s > 1
    assert seen.errors == 0


def test_without_wrk_the_error_names_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("PATH", str(tmp_path))
    # When / Then
    with pytest.raises(LoadError, match="apt-get install wrk"):
        closed_load("http://127.0.0.1:9/predict", tmp_path / "none", clients=1, seconds=1)


def test_the_figures_set_our_best_beside_the_best_of_the_peers() -> None:
    # Given
    def loads(per_s: float, p99_ms: float) -> list[Load]:
        return [Load(clients, None, per_s, p99_ms / 2, p99_ms, 0) for clients in (1, 8, 64)]

    burst, held = Load(1000, None, 900, 50, 80, 1), Load(32, 166.7, 166.7, 1, 4, 2)
    found = {
        "ontime": {"closed": loads(3000, 5), "crowd": [burst], "held": [held]},
        "slow": {"closed": loads(10, 500)},
        "slower": {"closed": loads(5, 900)},
    }
    probabilities = {"ontime": [0.5], "slow": [0.5], "slower": [0.5 + 1e-9]}
    # When
    figures = figures_of(found, probabilities)
    # Then
    assert figures["requests_per_s"] == 3000
    assert figures["vs_best_peer"] == 300
    assert figures["p99_vs_best_peer"] == 0.01
    assert figures["errors"] == 3
    assert figures["open_clients"] == 1000
    assert figures["equal"] is True
    assert "slower" in table_of(found)
    assert figures_of(found, {**probabilities, "slow": [0.6]})["equal"] is False
