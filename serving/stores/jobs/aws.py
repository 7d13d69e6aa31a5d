"""The job store in DynamoDB: every change of a job is one conditional write."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, cast

from serving.stores.aws.dynamodb import DynamoTable, number, packed, text, unpacked
from serving.stores.boundary import store_boundary
from serving.stores.definitions import EXPIRES_AT
from serving.stores.jobs.protocol import Job

if TYPE_CHECKING:
    from serving.stores.aws.dynamodb import Item
    from serving.stores.jobs.protocol import State

_UNFINISHED: Final = "#state IN (:pending, :running)"  # false as well where there is no such job
_STATE: Final = {"#state": "state"}
_STATES: Final = {"pending": text("pending"), "running": text("running")}


@store_boundary("The job store in DynamoDB")
class DynamoJobStore:
    """The job store in a DynamoDB table; may be used by several threads.

    Args:
        table: The table, keyed by `job_id`.
    """

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    def submit(self, job_id: str, request: bytes, *, at_ms: int, expires_at_ms: int) -> None:
        """Store a new job; see `JobStore.submit`."""
        item = {
            "job_id": text(job_id),
            "state": text("pending"),
            "request": packed(request, f"The request of job '{job_id}'"),
            "submitted_at_ms": number(at_ms),
            "claimed_until_ms": number(0),
            "expires_at_ms": number(expires_at_ms),
            EXPIRES_AT: number(-(-expires_at_ms // 1000)),
        }
        put = {"Item": item, "ConditionExpression": "attribute_not_exists(job_id)"}
        self._table.write_if("PutItem", put)

    def get(self, job_id: str) -> Job | None:
        """Return a job; see `JobStore.get`."""
        found = self._table.get({"job_id": text(job_id)})
        return None if found is None else _job(found)

    def claim(self, job_id: str, *, at_ms: int, until_ms: int) -> Job | None:
        """Claim a job; see `JobStore.claim`."""
        claim = text(secrets.token_hex(8))
        update = {
            "Key": {"job_id": text(job_id)},
            "UpdateExpression": "SET #state = :running, claimed_until_ms = :until, claim = :claim",
            "ConditionExpression": f"{_UNFINISHED} AND claimed_until_ms <= :now",
            "ExpressionAttributeNames": _STATE,
            "ReturnValues": "ALL_NEW",
        }
        done, found = self._table.write_if(
            "UpdateItem", update, now=number(at_ms), until=number(until_ms), claim=claim, **_STATES
        )
        ours = done or found.get("claim") == claim  # the latter: our own try, its answer lost
        return _job(found) if ours else None

    def complete(self, job_id: str, result: bytes) -> bool:
        """Finish a job; see `JobStore.complete`."""
        return self._finish(job_id, "done", result)

    def fail(self, job_id: str, problem: bytes) -> bool:
        """Finish a job with a problem; see `JobStore.fail`."""
        return self._finish(job_id, "failed", problem)

    def delete_expired(self, *, expired_at_ms: int) -> int:
        """Do nothing: DynamoDB removes what has expired, by its time to live."""
        del expired_at_ms
        return 0

    def _finish(self, job_id: str, state: State, result: bytes) -> bool:
        finished_by = text(secrets.token_hex(8))
        update = {
            "Key": {"job_id": text(job_id)},
            "UpdateExpression": "SET #state = :state, #result = :result, finished_by = :by",
            "ConditionExpression": _UNFINISHED,
            "ExpressionAttributeNames": {**_STATE, "#result": "result"},
        }
        done, found = self._table.write_if(
            "UpdateItem",
            update,
            state=text(state),
            result=packed(result, f"The result of job '{job_id}'"),
            by=finished_by,
            **_STATES,
        )
        return done or found.get("finished_by") == finished_by


def _job(item: Item) -> Job:
    return Job(
        job_id=item["job_id"]["S"],
        state=cast("State", item["state"]["S"]),
        request=unpacked(item["request"]),
        result=unpacked(item["result"]) if "result" in item else None,
        submitted_at_ms=int(item["submitted_at_ms"]["N"]),
        expires_at_ms=int(item["expires_at_ms"]["N"]),
    )
