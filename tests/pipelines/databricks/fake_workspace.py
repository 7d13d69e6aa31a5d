"""A fake Databricks workspace over real HTTP: as much of it as submission speaks to.

Ours, and not Databricks': it answers jobs 2.2, workspace files, permissions and who we are in the
shapes that the SDK reads, stores what it was sent, and fails where a test configures it to.
"""

from __future__ import annotations

import json
import re
import threading
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "a-token-of-the-fake"  # noqa: S105 - of the fake
USER = "ana@example.com"


@dataclass
class FakeWorkspace:
    """What the workspace holds, and how it shall fail.

    Attributes:
        files: By path, the bytes of each file.
        jobs: By id, the settings of each job.
        permissions: By job id, its access control list.
        runs: By id, each run: a list of its polls, one per `runs/get`, the last one repeated.
        outputs: By run id of a task, what it left.
        faults: By `METHOD path`, the answers that come before the right one: status and body.
        calls: Every call, as `METHOD path`.
        script: The polls of the next run that is started.
        lost: Answers that get lost on the way, by `METHOD path`: the call is done, the status 500.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    jobs: dict[int, dict[str, Any]] = field(default_factory=dict)
    permissions: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    runs: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    started: dict[int, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[int, dict[str, Any]] = field(default_factory=dict)
    faults: dict[str, list[tuple[int, dict[str, Any]]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    lost: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    calls: list[str] = field(default_factory=list)
    script: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def answer(
        self, method: str, path: str, query: dict[str, str], body: Any
    ) -> tuple[int, dict[str, Any]]:
        """Return status and body of one call."""
        call = f"{method} {path}"
        self.calls.append(call)
        if self.faults[call]:
            return self.faults[call].pop(0)
        found = _ROUTES.get(call)
        if found is None and path.startswith("/api/2.0/permissions/jobs/"):
            return 200, self.permit(int(path.rsplit("/", 1)[1]), body)
        if found is None:
            return 404, {"error_code": "ENDPOINT_NOT_FOUND", "message": f"no {call} in the fake"}
        result = found(self, query, body)
        if self.lost[call]:
            self.lost[call] -= 1
            return 500, {"error_code": "INTERNAL_ERROR", "message": "the answer got lost"}
        return result if isinstance(result, tuple) else (200, result)

    def me(self, _query: dict[str, str], _body: Any) -> dict[str, Any]:
        return {"userName": USER, "id": "1"}

    def status(self, query: dict[str, str], _body: Any) -> Any:
        if query["path"] in self.files:
            return {"path": query["path"], "object_type": "FILE"}
        return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such file"}

    def mkdirs(self, _query: dict[str, str], _body: Any) -> dict[str, Any]:
        return {}

    def upload(self, _query: dict[str, str], body: Any) -> dict[str, Any]:
        path = re.search(rb'name="path"\r\n\r\n(.*?)\r\n', body)
        content = re.search(rb'name="content".*?\r\n\r\n(.*)\r\n--', body, re.DOTALL)
        assert path is not None
        assert content is not None
        self.files[path.group(1).decode()] = content.group(1)
        return {}

    def list_jobs(self, query: dict[str, str], _body: Any) -> dict[str, Any]:
        named = [
            {"job_id": job_id, "settings": {"name": each["name"], "tags": each.get("tags", {})}}
            for job_id, each in self.jobs.items()
            if each["name"].lower() == query["name"].lower()
        ]
        return {"jobs": named, "has_more": False}

    def create(self, _query: dict[str, str], body: Any) -> dict[str, Any]:
        job_id = 100 + len(self.jobs)
        self.jobs[job_id] = body
        return {"job_id": job_id}

    def reset(self, _query: dict[str, str], body: Any) -> dict[str, Any]:
        self.jobs[body["job_id"]] = body["new_settings"]
        return {}

    def permit(self, job_id: int, body: Any) -> dict[str, Any]:
        self.permissions[job_id] = body["access_control_list"]
        return {"object_id": f"/jobs/{job_id}"}

    def list_runs(self, query: dict[str, str], _body: Any) -> dict[str, Any]:
        active = [
            {"run_id": run_id, "job_id": int(query["job_id"])}
            for run_id, polls in self.runs.items()
            if polls[0]["state"]["life_cycle_state"] not in {"TERMINATED", "INTERNAL_ERROR"}
        ]
        return {"runs": active, "has_more": False}

    def run_now(self, _query: dict[str, str], body: Any) -> dict[str, Any]:
        for run_id, started in self.started.items():
            if started["idempotency_token"] == body["idempotency_token"]:
                return {"run_id": run_id}
        run_id = 500 + len(self.runs)
        self.started[run_id] = body
        self.runs[run_id] = [
            {**poll, "run_id": run_id, "run_page_url": f"{self.url}/run/{run_id}"}
            for poll in self.script
        ]
        return {"run_id": run_id, "number_in_job": run_id}

    def get_run(self, query: dict[str, str], _body: Any) -> dict[str, Any]:
        polls = self.runs[int(query["run_id"])]
        return polls.pop(0) if len(polls) > 1 else polls[0]

    def get_output(self, query: dict[str, str], _body: Any) -> dict[str, Any]:
        return self.outputs.get(int(query["run_id"]), {})


_ROUTES: dict[str, Any] = {
    "GET /api/2.0/preview/scim/v2/Me": FakeWorkspace.me,
    "GET /api/2.0/workspace/get-status": FakeWorkspace.status,
    "POST /api/2.0/workspace/mkdirs": FakeWorkspace.mkdirs,
    "POST /api/2.0/workspace/import": FakeWorkspace.upload,
    "GET /api/2.2/jobs/list": FakeWorkspace.list_jobs,
    "POST /api/2.2/jobs/create": FakeWorkspace.create,
    "POST /api/2.2/jobs/reset": FakeWorkspace.reset,
    "GET /api/2.2/jobs/runs/list": FakeWorkspace.list_runs,
    "POST /api/2.2/jobs/run-now": FakeWorkspace.run_now,
    "GET /api/2.2/jobs/runs/get": FakeWorkspace.get_run,
    "GET /api/2.2/jobs/runs/get-output": FakeWorkspace.get_output,
}


def poll(states: dict[str, str], end: str | None = None, message: str = "") -> dict[str, Any]:
    """Return one poll of a run: `waiting`, `running` or a result by task, and how it ended."""
    tasks = [
        {"task_key": task, "run_id": 9000 + place, "state": _state(word)}
        for place, (task, word) in enumerate(states.items())
    ]
    state = _state(end or "running")
    return {"tasks": tasks, "state": {**state, "state_message": message}}


def _state(word: str) -> dict[str, str]:
    if word in {"waiting", "running"}:
        return {"life_cycle_state": "RUNNING" if word == "running" else "BLOCKED"}
    return {"life_cycle_state": "TERMINATED", "result_state": word}


@contextmanager
def fake_workspace() -> Iterator[FakeWorkspace]:
    """Run a fake workspace on a free port."""
    workspace = FakeWorkspace()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            parts = urlsplit(self.path)
            if parts.path == "/.well-known/databricks-config":
                status, answer = 200, {}
            elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
                status, answer = 401, {"error_code": "UNAUTHENTICATED", "message": "Token expired"}
            else:
                multipart = "multipart" in (self.headers.get("Content-Type") or "")
                body = raw if multipart or not raw else json.loads(raw)
                query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                status, answer = workspace.answer(self.command, parts.path, query, body)
            sent = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            if status == 429:
                self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PATCH = do_PUT = _serve  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Say nothing: a test's output is its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    workspace.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield workspace
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
