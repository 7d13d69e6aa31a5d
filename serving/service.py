"""The service: every use case over the stores, for whichever adapter speaks to callers."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

import msgspec

from serving.answers import HealthAnswer, HistoryAnswer, ModelAnswer
from serving.clock import new_prediction_id, now_ms
from serving.core import Prediction, PredictionCore
from serving.follower import CHAMPION, Alias, ModelFollower, ServedModel
from serving.lasting_history import open_lasting_history
from serving.logs import log
from serving.network import Network, NetworkError, read_network
from serving.problems import (
    FieldProblem,
    HistoryUnavailableError,
    InvalidRequestError,
    NotReadyError,
    not_kept,
)
from serving.requests import parse_load
from serving.retention import Retention
from serving.stores.artifacts import open_artifact_store
from serving.stores.errors import InvalidCursorError, StoreError
from serving.stores.opening import open_online_store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from serving.options import ServingOptions
    from serving.stores.artifacts import ArtifactStore
    from serving.stores.history import PredictionHistory, PredictionRecord
    from serving.stores.online import OnlineStore

ALIASES: Final[Mapping[str, Alias]] = {
    "champion": "champion",
    "Production": "champion",
    "challenger": "challenger",
    "Staging": "challenger",
}
HISTORY_PARAMETERS: Final = ("limit", "cursor", "flight_id")
_LONGEST_FLIGHT_ID: Final = 32


class PredictionService:
    """Answers requests; safe to use from several threads.

    Args:
        options: How requests are answered.
        artifacts: Release document and model packages.
        history: Where predictions are kept.
        online: State of the features, and the network.
        clock: Milliseconds since the epoch.
        new_id: Makes prediction ids.
    """

    def __init__(
        self,
        options: ServingOptions,
        *,
        artifacts: ArtifactStore,
        history: PredictionHistory,
        online: OnlineStore,
        clock: Callable[[], int] = now_ms,
        new_id: Callable[[], str] = new_prediction_id,
    ) -> None:
        self.options = options
        self.history = history
        self._online = online
        self._network: Network | None = None
        self._network_fault: str | None = None
        self._due_at = 0.0
        self._retention = Retention(history, days=options.stores.retention_days, clock=clock)
        self._follower = ModelFollower(artifacts, options.model_name)
        self._core = PredictionCore(
            model=self._follower.current,
            network=self._known_network,
            online=online,
            allow_as_of=options.allow_as_of,
            clock=clock,
            new_id=new_id,
        )

    def refresh(self) -> None:
        """Take over a new release and a new network, if there are any; never raises.

        To be called every `follow_seconds`, beside the requests.
        """
        self._follower.refresh()
        self._retention.apply_when_due()
        try:
            self._network = read_network(self._online)
            self._network_fault = None
        except (NetworkError, StoreError) as error:
            if str(error) != self._network_fault:
                log(logging.ERROR, "network_failed", reason=str(error))
            self._network_fault = str(error)

    def refresh_when_due(self) -> None:
        """Refresh unless it was done less than `follow_seconds` ago."""
        now = time.monotonic()
        if now >= self._due_at:
            self._due_at = now + self.options.follow_seconds
            self.refresh()

    def predict(self, body: bytes) -> Prediction:
        """Return the prediction for a request body; to be kept before it is given.

        Raises:
            ProblemError: See `PredictionCore.predict`.
        """
        return self._core.predict(body)

    def load(self, body: bytes) -> bytes:
        """Switch this server to the version or alias that the body names; return what answers now.

        Raises:
            ProblemError: The body is not valid, or there is no such version, or it is refused.
        """
        request = parse_load(body)
        if isinstance(request.version, str):
            served = self._follower.stay_with(request.version)
        else:
            served = self._follower.follow(ALIASES.get(str(request.alias), CHAMPION))
        return self._described(served)

    def model(self) -> bytes:
        """Return the model that answers.

        Raises:
            NotReadyError: There is none.
        """
        return self._described(self._follower.current())

    def keep(self, records: Sequence[PredictionRecord]) -> None:
        """Return once the predictions are in the history.

        Raises:
            HistoryUnavailableError: They could not be kept.
        """
        try:
            self.history.append(records)
        except StoreError as error:
            raise not_kept(error) from error

    def history_page(self, query: Mapping[str, str]) -> bytes:
        """Return a page of the prediction history, newest first.

        Args:
            query: Values of `HISTORY_PARAMETERS`, each optional.

        Raises:
            InvalidRequestError: A parameter has a value that cannot be.
            HistoryUnavailableError: The history cannot be read.
        """
        try:
            page = self.history.page(
                limit=self._limit(query.get("limit")),
                cursor=query.get("cursor"),
                flight_id=_flight_id(query.get("flight_id")),
            )
        except InvalidCursorError as error:
            raise _invalid("cursor", "It is not a cursor.", str(error)) from error
        except StoreError as error:
            raise HistoryUnavailableError(str(error)) from error
        items = [msgspec.Raw(record.body) for record in page.records]
        return msgspec.json.encode(HistoryAnswer(items, page.next_cursor))

    def health(self) -> bytes:
        """Return that the process is alive, whatever it depends on."""
        return msgspec.json.encode(HealthAnswer("ok"))

    def ready(self) -> bytes:
        """Return the model that answers, once there are model and network, and answers can be kept.

        Raises:
            ProblemError: Names what is not there yet.
        """
        self._known_network()
        try:
            self.history.check()
        except StoreError as error:
            raise HistoryUnavailableError(str(error)) from error
        return self.model()

    def _known_network(self) -> Network:
        if self._network is None:
            raise NotReadyError(self._network_fault or "The service has just started: try again.")
        return self._network

    def _described(self, served: ServedModel) -> bytes:
        contract = served.model.contract
        answer = ModelAnswer(
            name=served.model.name,
            version=served.model.version,
            alias=served.alias,
            revision=served.revision,
            threshold=contract.operating_threshold,
            horizon_min=contract.horizon_min,
            features=[feature.name for feature in contract.features],
            manifest_sha256=served.model.manifest_sha256,
            refusal=self._follower.refusal,
        )
        return msgspec.json.encode(answer)

    def _limit(self, given: str | None) -> int:
        most = self.options.history_page_max
        if given is None:
            return min(self.options.history_page, most)
        if not (given.isascii() and given.isdigit() and len(given) <= len(str(most))) or not (
            1 <= int(given) <= most
        ):
            raise _invalid("limit", f"'{given[:20]}' is no limit.", f"Send 1 to {most}.")
        return int(given)


def open_service(
    options: ServingOptions,
    home: Path,
    *,
    clock: Callable[[], int] = now_ms,
    new_id: Callable[[], str] = new_prediction_id,
) -> PredictionService:
    """Return the service over its stores.

    Args:
        options: How requests are answered, and which stores are used.
        home: The folder of those that are embedded.
        clock: Milliseconds since the epoch.
        new_id: Makes prediction ids.

    Raises:
        StoreError: A store cannot be opened.
    """
    return PredictionService(
        options,
        artifacts=open_artifact_store(options.store_uri or str(home / "store"), read_only=True),
        history=open_lasting_history(options.stores, home),
        online=open_online_store(options.stores, home),
        clock=clock,
        new_id=new_id,
    )


def _flight_id(given: str | None) -> str | None:
    if given is not None and not 0 < len(given) <= _LONGEST_FLIGHT_ID:
        fix = 'Send carrier, number and UTC hour, such as "UA-389-2013123023".'
        raise _invalid("flight_id", "It is empty or too long.", fix)
    return given


def _invalid(name: str, problem: str, fix: str) -> InvalidRequestError:
    return InvalidRequestError([FieldProblem(name, problem, fix)])
