"""Stage records: the outputs and the fingerprint of each stage's last success.

One JSON file per stage, or per stage and feature table. It is written last and atomically, so a
stage that was killed has no record of that attempt and simply runs again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from features.settings import FeatureSettings
from ontime_base.atomic_files import write_atomically
from ontime_base.errors import OntimeError
from pipelines.stages import STAGES

if TYPE_CHECKING:
    from pathlib import Path


class UnreadableRecordError(OntimeError):
    """A stage record is not what this program wrote."""


class StageNotRunError(OntimeError):
    """A stage was asked for the outputs of one that has not succeeded yet."""


class StageRecord(msgspec.Struct, frozen=True):
    """One success of one stage.

    Attributes:
        parts: What the result was made from, by name: source files, packages, configuration keys
            and upstream outputs, each with its hash or value.
        outputs: The outputs that the stage returned.
        seconds: How long the stage took.
        finished_at: When it finished, in UTC.
        fingerprint: SHA-256 of the parts.
    """

    fingerprint: str
    parts: dict[str, str]
    outputs: dict[str, Any]
    seconds: float
    finished_at: str


class StageRecords:
    """The records of one home folder.

    Args:
        folder: Where the files are; made when the first record is written.
        key: Which feature table is meant by the stages that have a record for each of them.
    """

    def __init__(self, folder: Path, key: str = FeatureSettings().key) -> None:
        self._folder = folder
        self._names = {each.name: f"{each.name}_{key}" for each in STAGES if each.by_table}

    def read(self, stage: str) -> StageRecord | None:
        """Return the record of a stage; None if it has not succeeded yet.

        Raises:
            UnreadableRecordError: The file is cut short, or not a stage record.
        """
        path = self._path(stage)
        try:
            return msgspec.json.decode(path.read_bytes(), type=StageRecord)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise UnreadableRecordError(
                f"The stage record {path} is not readable ({error}): "
                f"run `ontime {stage}`, which writes it again."
            ) from error

    def require(self, stage: str) -> StageRecord:
        """Return the record of a stage that must have succeeded.

        Raises:
            StageNotRunError: It has not.
            UnreadableRecordError: Its record is not readable.
        """
        record = self.read(stage)
        if record is None:
            raise StageNotRunError(
                f"Stage {stage} has not finished in this home ({self._folder.parent}): "
                f"run `ontime {stage}` first, or `make run` for all stages."
            )
        return record

    def write(self, stage: str, record: StageRecord) -> None:
        """Write a record so that after a crash either the old or the new one is there, whole."""
        body = msgspec.json.format(msgspec.json.encode(record), indent=2)
        write_atomically(self._path(stage), body)

    def remove(self, stage: str) -> None:
        """Forget a stage's success; nothing happens if there is none."""
        self._path(stage).unlink(missing_ok=True)

    def _path(self, stage: str) -> Path:
        return self._folder / f"{self._names.get(stage, stage)}.json"
