"""Errors of the API as RFC 9457 problem details, each with its correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from ontime_base.errors import OntimeError

MEDIA_TYPE = "application/problem+json"


class FieldProblem(msgspec.Struct, frozen=True):
    """The problem of one field of a request."""

    field: Annotated[str, Meta(description="The field, or the query parameter.")]
    problem: Annotated[str, Meta(description="What was wrong with it.")]
    fix: Annotated[str, Meta(description="What to send.")]


class Problem(msgspec.Struct, frozen=True):
    """Problem details (RFC 9457)."""

    type: Annotated[str, Meta(description="Names the kind of problem; never changes for a kind.")]
    title: Annotated[str, Meta(description="A short description of the kind of problem.")]
    status: Annotated[int, Meta(description="The HTTP status.", ge=400, le=599)]
    detail: Annotated[str, Meta(description="What happened, with which input, and what to do.")]
    errors: Annotated[Sequence[FieldProblem], Meta(description="One for each invalid field.")]
    request_id: Annotated[str, Meta(description="Name this when you ask for help.")]


class ProblemError(OntimeError):
    """Base of the errors that are returned to a caller.

    Args:
        detail: What happened, with which input, and what to do.
        errors: What is wrong with each invalid field.
        headers: Further headers of the answer, names in lower case.
    """

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "The service failed"

    def __init__(
        self,
        detail: str,
        errors: Sequence[FieldProblem] = (),
        *,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = headers

    def details(self, request_id: str) -> Problem:
        """Return the problem details."""
        kind = f"urn:ontime:problem:{self.slug}"
        return Problem(kind, self.title, self.status, self.detail, self.errors, request_id)

    def to_json(self, request_id: str) -> bytes:
        """Return the problem details as JSON."""
        return msgspec.json.encode(self.details(request_id))


class MalformedBodyError(ProblemError):
    """The body is not JSON."""

    status = 400
    slug = "malformed-body"
    title = "The body is not JSON"


class NotARequestError(ProblemError):
    """A function received an event that is no HTTP request."""

    status = 400
    slug = "not-a-request"
    title = "The event is no HTTP request"


class UnauthorizedError(ProblemError):
    """The caller sent no valid API key."""

    status = 401
    slug = "unauthorized"
    title = "A key is needed"


class ForbiddenError(ProblemError):
    """The API key does not have the scope that the operation needs."""

    status = 403
    slug = "forbidden"
    title = "The key does not allow this"


class NotFoundError(ProblemError):
    """There is nothing at this path."""

    status = 404
    slug = "not-found"
    title = "Nothing is here"


class UnknownModelError(ProblemError):
    """The requested model version does not exist."""

    status = 404
    slug = "unknown-model"
    title = "This model version does not exist"


class UnknownJobError(ProblemError):
    """No asynchronous prediction has this id, or it was long ago."""

    status = 404
    slug = "unknown-job"
    title = "There is no such asynchronous prediction"


class MethodNotAllowedError(ProblemError):
    """The path does not take this method."""

    status = 405
    slug = "method-not-allowed"
    title = "The path does not take this method"


class RefusedModelError(ProblemError):
    """The requested model version exists and may not be served."""

    status = 409
    slug = "refused-model"
    title = "This model version cannot be served"


class RequestTimeoutError(ProblemError):
    """The body did not arrive in time."""

    status = 408
    slug = "request-timeout"
    title = "The body did not arrive in time"


class KeyInUseError(ProblemError):
    """The first request with this idempotency key is still being answered."""

    status = 409
    slug = "idempotency-key-in-use"
    title = "A request with this idempotency key is being answered"


class BodyTooLargeError(ProblemError):
    """The body is larger than this service reads."""

    status = 413
    slug = "body-too-large"
    title = "The body is too large"


class UnsupportedMediaTypeError(ProblemError):
    """The body is not declared as JSON."""

    status = 415
    slug = "unsupported-media-type"
    title = "The body is not declared as JSON"


class InvalidRequestError(ProblemError):
    """Fields of the request are missing, unknown, or have invalid values."""

    status = 422
    slug = "invalid-request"
    title = "The request is not valid"

    def __init__(self, errors: Sequence[FieldProblem]) -> None:
        first = errors[0]
        more = f" (and {len(errors) - 1} more: see errors)" if len(errors) > 1 else ""
        super().__init__(f"{first.field}: {first.problem} {first.fix}{more}", errors)


class InvalidFlightError(InvalidRequestError):
    """Fields of a flight are invalid; holds those that are well written.

    Args:
        errors: The problem of each invalid field.
        sound: The fields that are well written, which may still name what does not exist.
    """

    def __init__(self, errors: Sequence[FieldProblem], sound: Mapping[str, object]) -> None:
        super().__init__(errors)
        self.sound = sound


class KeyReusedProblemError(ProblemError):
    """The idempotency key came with another request before."""

    status = 422
    slug = "idempotency-key-reused"
    title = "The idempotency key belongs to another request"


class TooManyRequestsError(ProblemError):
    """The caller sent more requests than one caller may."""

    status = 429
    slug = "too-many-requests"
    title = "Too many requests"


class OverloadedError(ProblemError):
    """There are more requests than can be answered soon."""

    status = 503
    slug = "overloaded"
    title = "The service is overloaded"


class NotReadyError(ProblemError):
    """No model is loaded, or the stores do not answer."""

    status = 503
    slug = "not-ready"
    title = "The service cannot answer yet"


class StoreUnavailableError(ProblemError):
    """A store that this request needs is not available."""

    status = 503
    slug = "store-unavailable"
    title = "A store cannot be used"


class HistoryUnavailableError(ProblemError):
    """The prediction could not be stored, so it is not returned."""

    status = 503
    slug = "history-unavailable"
    title = "The prediction history cannot be used"


def not_kept(error: Exception) -> HistoryUnavailableError:
    """Return the problem of a caller whose prediction could not be stored."""
    return HistoryUnavailableError(
        f"The prediction was made and could not be stored, so it is not returned. {error}"
    )


def too_many_queued(error: Exception) -> OverloadedError:
    """Return the problem of a caller whose request was not queued, as too many wait."""
    return OverloadedError(
        f"The request was not accepted. {error}", headers=((b"retry-after", b"10"),)
    )
