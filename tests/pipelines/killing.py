"""Every command that decides what is released, killed at each of its writes, and run again.

Run as a script on an empty folder (and with the commands to kill, if not all) it prints JSON: for
each command the writes it made, and each kill that the command, run again, did not make good. Each
run is a process of its own (a fork of this one, which has the libraries loaded), and the kill is a
real SIGKILL.

What can be killed is counted here, around the store, the registry and the stage records; nothing of
it is in the code that it watches.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import traceback
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from mlflow import MlflowClient

import pipelines.publish
import pipelines.runtime.context
from operations.ledger.ledger import read_ledger
from operations.release.reconciliation import document_of
from pipelines import promote, register
from pipelines.cli import execute
from pipelines.release import decision_commands, ledger_commands
from pipelines.runtime.context import RunContext
from pipelines.runtime.stage_records import StageRecord, StageRecords
from pipelines.settings import load_settings
from serving.models.model_package import FILES, list_versions, read_model_package
from serving.models.release_document import read_release
from serving.stores.artifacts.local import FolderArtifactStore
from training.tracking.run_files import FINGERPRINT_TAG, MODEL_TAG, write_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Command: TypeAlias = "Callable[[], int]"
LOADED = (decision_commands, ledger_commands, promote, register)
STORE_WRITES = ("create", "replace")
REGISTRY_WRITES = (
    "create_registered_model",
    "create_model_version",
    "set_registered_model_alias",
    "delete_registered_model_alias",
)
RECORD_WRITES = ("write", "remove")
TOLD = ("outcome", "reasons")
WHO = ["--by", "Ada", "--reason", "read the card"]


def stage(name: str) -> Command:
    return lambda: execute([name])


# In order, in one home; `train` stands for a model that was trained, and is not killed.
COMMANDS: tuple[tuple[str, Command], ...] = (
    ("train 1", lambda: train("run of version 1")),
    ("register 1", stage("register")),
    ("publish 1", stage("publish")),
    ("approve 1", lambda: execute(["release", "approve", *WHO])),
    ("roll out 1", lambda: execute(["release", "rollout", "--weight", "1", *WHO])),
    ("promote 1", stage("promote")),
    ("train 2", lambda: train("run of version 2")),
    ("register 2", stage("register")),
    ("publish 2", stage("publish")),
    ("roll out 2 a little", lambda: execute(["release", "rollout", "--weight", "0.1", *WHO])),
    ("roll out 2", lambda: execute(["release", "rollout", "--weight", "1", *WHO])),
    ("approve and promote 2", lambda: execute(["release", "approve", *WHO])),
    ("roll back to 1", lambda: execute(["release", "rollback", *WHO])),
    ("put 2 back", lambda: execute(["release", "rollback", "--version", "2", *WHO])),
    ("train 3", lambda: train("run of version 3")),
    ("register 3", stage("register")),
    ("publish 3", stage("publish")),
    ("reject 3", lambda: execute(["release", "reject", *WHO])),
)


# They make no write that another does not make.
NOT_KILLED = (
    "train 1",
    "train 2",
    "train 3",
    "register 2",
    "register 3",
    "publish 3",
    "roll out 2",
)


@dataclass
class Fuse:
    """Counts writes, and kills the process before or after one of them."""

    at: int | None = None
    after: bool = False
    done: int = 0

    def around(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            blown = self.done == self.at
            if blown and not self.after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = work(*arguments, **named)
            self.done += 1
            if blown:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return wrapped


def install(fuse: Fuse) -> None:
    """Put the fuse around everything that is written, in this process."""
    for kind, names in (
        (FolderArtifactStore, STORE_WRITES),
        (MlflowClient, REGISTRY_WRITES),
        (StageRecords, RECORD_WRITES),
    ):
        for name in names:
            setattr(kind, name, fuse.around(getattr(kind, name)))
    # Online features need tables, and those Spark: they are not what is killed here.
    vars(pipelines.publish)["materialize"] = lambda *_, **__: 7
    RunContext.tables = None  # type: ignore[assignment]


def in_a_process(home: Path, work: Callable[[], Any], fuse: Fuse) -> tuple[Any, int]:
    """Do the work in a process of its own; return its result and how many writes it made.

    The result is None if the process was killed.
    """
    answer = home.with_suffix(".answer")
    answer.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        try:
            os.environ["ONTIME_HOME"] = str(home)
            install(fuse)
            answer.write_text(json.dumps([work(), fuse.done]))
        except BaseException:  # noqa: BLE001 - reported, and the fork must end here
            traceback.print_exc()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return None, fuse.at or 0
    result, writes = json.loads(answer.read_text())
    return result, int(writes)


def train(fingerprint: str) -> int:
    """Leave what the stages before register leave."""
    context = RunContext(load_settings("dev"))
    with context.tracking.open_run(
        "one", tags={FINGERPRINT_TAG: fingerprint, MODEL_TAG: "file:///a/model"}
    ) as run_id:
        files = {f"exported/{name}": f"{name} of {fingerprint}".encode() for name in FILES}
        write_files(context.tracking.client, run_id, files)
    figures = {"auc": 0.75, "auc_naive": 0.62}
    made: dict[str, dict[str, Any]] = {
        "ingest": {"silver": {}},
        "build_features": {"gold_hash": "d" * 64},
        "train": {"run_id": run_id},
        "evaluate": {"passed": True, "reasons": [], "figures": figures},
    }
    for name, outputs in made.items():
        context.records.write(name, StageRecord("f" * 64, {}, outputs, 1.0, "just now"))
    (context.settings.home / "serving.db").touch()
    return 0


def run_and_read_state(command: Command) -> list[Any]:
    """Run a command; return its exit code and the state after it."""
    return [command(), state()]


def state() -> dict[str, Any]:
    """Return everything that must not depend on a kill."""
    context = RunContext(load_settings("dev"))
    store, registry = context.artifacts, context.registry
    decided, release = read_ledger(store), read_release(store)
    published = list_versions(store, model_name="ontime")
    packages = [read_model_package(store, model_name="ontime", version=v) for v in published]
    records = [context.records.read(name) for name in ("register", "publish", "promote")]
    return {
        "ledger": [
            [e.kind, e.by, e.reason, e.version, e.evidence, str(e.release)] for e in decided.entries
        ],
        "document follows": (release.document if release else None) == document_of(decided),
        "versions": [(v.version, v.run_id, v.aliases) for v in registry.versions()],
        "packages": [(p.manifest.version, p.manifest_sha256) for p in packages],
        # Whether it was promoted now or before is only reported; nothing depends on it.
        "records": [
            record and {name: record.outputs[name] for name in record.outputs if name not in TOLD}
            for record in records
        ],
    }


def kill_everywhere(folder: Path, only: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Run the commands in order, and kill each at each of its writes in copies of the home."""
    calm, before, home = (folder / name for name in ("calm", "before", "home"))
    calm.mkdir()
    report: dict[str, dict[str, Any]] = {}
    for name, command in COMMANDS:
        shutil.copytree(calm, before, dirs_exist_ok=True)
        (code, expected), writes = in_a_process(calm, partial(run_and_read_state, command), Fuse())
        assert code == 0, f"{name} ended with {code}"
        wrong = []
        if name in NOT_KILLED or (only and name not in only):
            writes = 0
        for at in range(writes):
            for after in (False, True):
                shutil.rmtree(home, ignore_errors=True)
                shutil.copytree(before, home)
                killed, _ = in_a_process(home, command, Fuse(at, after=after))
                found, _ = in_a_process(home, partial(run_and_read_state, command), Fuse())
                if (killed, found) != (None, [0, expected]):
                    moment = f"{'after' if after else 'before'} write {at}"
                    wrong.append([moment, killed, found, expected])
        report[name] = {"writes": writes, "wrong": wrong}
        sys.stderr.write(f"{name}: {writes} writes, {len(wrong)} wrong\n")
        shutil.rmtree(before)
    return report


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        result = kill_everywhere(Path(sys.argv[1]), sys.argv[2:])
    sys.stdout.write(json.dumps(result))
