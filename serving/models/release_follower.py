"""Keeps the served models equal to the release document, or to a pinned version.

Beside the champion it loads the challenger, which answers its share of the flights. A new model is
loaded and checked beside the current one, then swapped in atomically. When a check fails, the
current model stays.

Only a decision changes what answers: outside development a version is loaded only if the release
document, which follows the ledger, has it answer; and its revisions only grow.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from serving.models.model_loader import LoadedModel, ModelRefusedError, load_model
from serving.models.model_package import list_versions
from serving.models.release_document import (
    ReleaseDocument,
    ReleasedVersion,
    ReleaseError,
    StoredRelease,
    read_release,
)
from serving.models.traffic_split import CHALLENGER, CHAMPION, Alias, ServedModel, TrafficSplit
from serving.schema.problems import NotReadyError, RefusedModelError, UnknownModelError
from serving.stores.errors import StoreError
from serving.telemetry.logs import log

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.stores.artifacts.protocol import ArtifactStore

RETRY_SECONDS: Final = 30.0
_CACHED_MODELS: Final = 4
_DEPLOYED_AGAIN: Final = "run `ontime promote --force`, which writes it from the ledger"
_NOTHING_RELEASED: Final = (
    "No model is released yet: run `make run`, which trains, registers and releases one."
)


class ReleaseFollower:
    """Holds the models that answer; thread-safe.

    Args:
        store: Where the release document and the packages are.
        model_name: Registered model.
        load_any: Whether any published version may be loaded, and stays until another is
            (development only).
        monotonic: A monotonic clock, in seconds.
    """

    def __init__(
        self,
        store: ArtifactStore,
        model_name: str,
        *,
        load_any: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._model_name = model_name
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._loaded: dict[tuple[str, str | None], LoadedModel] = {}
        self._follows: Alias | None = CHAMPION
        self._current: TrafficSplit | None = None
        self._load_any = load_any
        self._newest: ReleaseDocument | None = None
        self._lost: str | None = None
        self._etag: str | None = None
        self._retry_at = 0.0
        self._refusal: str | None = None
        self._challenger_refusal: str | None = None
        self._refusals = 0

    @property
    def refusal(self) -> str | None:
        """Why the released model does not answer, or is not followed any more; None when it is."""
        return self._lost or self._refusal

    @property
    def follows(self) -> bool:
        """Whether the release document was there, readable, and not older when it was last read."""
        return self._lost is None

    @property
    def challenger_refusal(self) -> str | None:
        """Why the challenger was refused; None when it answers, or there is none."""
        return self._challenger_refusal

    @property
    def refusals(self) -> int:
        """Number of refused releases since this server started."""
        return self._refusals

    def split(self) -> TrafficSplit:
        """Return the models that answer.

        Raises:
            NotReadyError: No model is loaded; names the cause and the fix.
        """
        split = self._current
        if split is None:
            raise NotReadyError(self.refusal or _NOTHING_RELEASED)
        return split

    def current(self) -> ServedModel:
        """Return the primary model.

        Raises:
            NotReadyError: No model is loaded; names the cause and the fix.
        """
        return self.split().primary

    def refresh(self) -> None:
        """Apply the release document if it changed; logs a failure and does not raise it.

        After a failure it retries when the document changes, and every 30 seconds.
        """
        with self._lock:
            try:
                self._refresh()
            except (StoreError, ModelRefusedError) as error:
                self._refused(str(error))

    def follow(self, alias: Alias) -> ServedModel:
        """Answer with the version that has this alias, now and after every release.

        Raises:
            UnknownModelError: No version has the alias.
            RefusedModelError: Its version may not be served, or no decision has it answer; the
                current one stays.
            NotReadyError: The store cannot be read.
        """
        with self._lock:
            release = self._release()
            released = release.document.version_of(alias) if release else None
            if release is None or released is None:
                raise UnknownModelError(f"No version is released as {alias}. {self._existing()}")
            return self._switch(released, alias, release)

    def pin(self, version: str) -> ServedModel:
        """Answer with this version; in development until `follow` is called.

        Elsewhere it must be the one that answers by the newest decision, which stays followed.

        Raises:
            UnknownModelError: No package of this version was published.
            RefusedModelError: It may not be served, or no decision has it answer; the current one
                stays.
            NotReadyError: The store cannot be read.
        """
        with self._lock:
            release = self._release()
            if version not in self._versions():
                raise UnknownModelError(
                    f"Version '{version}' of model {self._model_name} was not published. "
                    f"{self._existing()}"
                )
            if not self._load_any:
                released = _released_as(version, release)
                if release is None or released is None:
                    raise _undecided(version)
                return self._switch(released, CHAMPION, release)
            loaded = self._load_or_problem(version, None)
            self._follows = None
            self._apply(loaded, None, release)
            return self.current()

    def _switch(
        self, released: ReleasedVersion, alias: Alias, release: StoredRelease
    ) -> ServedModel:
        """Follow an alias, if that is decided or any version may be loaded."""
        document = release.document
        if not self._load_any:
            if released != document.champion and not (
                released == document.challenger and document.challenger_weight == 1
            ):
                raise _undecided(released.version)
            alias = CHAMPION
            released = document.champion or released
        loaded = self._load_or_problem(released.version, released.manifest_sha256)
        self._follows = alias
        self._apply(loaded, alias, release)
        return self.current()

    def _refresh(self) -> None:
        release = self._newest_release()
        if release is None or self._follows is None or self._is_applied(release):
            return
        self._etag = release.etag
        self._retry_at = self._monotonic() + RETRY_SECONDS
        released = release.document.version_of(self._follows)
        if released is None:
            self._refused(f"No version is released as {self._follows}: the current model stays.")
            return
        self._apply(self._load(released.version, released.manifest_sha256), self._follows, release)

    def _newest_release(self) -> StoredRelease | None:
        """Return the release document; None, and the reason reported, if it cannot be followed."""
        reason, release = None, None
        try:
            release = read_release(self._store)
        except (ReleaseError, StoreError) as error:
            reason = str(error)
        else:
            if release is not None:
                reason = self._step_back(release.document)
            elif self._newest is not None:
                reason = (
                    f"The release document is gone (its last revision was "
                    f"{self._newest.revision}), so no decision is followed and the current model "
                    f"stays: {_DEPLOYED_AGAIN}."
                )
        if reason is not None:
            if reason != self._lost:
                self._refusals += 1
                log(logging.ERROR, "release_not_followed", reason=reason)
            self._lost = reason
            return None
        if self._lost is not None:
            log(logging.INFO, "release_followed_again")
            self._lost = None
        if release is not None:
            self._newest = release.document
        return release

    def _step_back(self, document: ReleaseDocument) -> str | None:
        """Return why a document is no later one than the newest seen; None if it is."""
        newest = self._newest
        if newest is None or document.revision > newest.revision or document == newest:
            return None
        what = "is older than" if document.revision < newest.revision else "differs from"
        return (
            f"The release document has revision {document.revision}, which {what} revision "
            f"{newest.revision} that this server has seen: it is not followed and the current "
            f"model stays. Revisions only grow: {_DEPLOYED_AGAIN}, or restart the server if the "
            "ledger was begun anew."
        )

    def _challenger(self, release: StoredRelease) -> ServedModel | None:
        """Return the challenger beside the champion; None when it is refused."""
        released, refusal, challenger = release.document.challenger, None, None
        if released is not None and released != release.document.champion:
            try:
                loaded = self._load(released.version, released.manifest_sha256)
                challenger = ServedModel(loaded, CHALLENGER, release.document.revision)
            except (ModelRefusedError, StoreError) as error:
                refusal = f"The champion answers for it. {error}"
                self._report_refusal(refusal, previous=self._challenger_refusal)
        self._challenger_refusal = refusal
        return challenger

    def _is_applied(self, release: StoredRelease) -> bool:
        accepted = self._refusal is None and self._challenger_refusal is None
        retry_due = not accepted and self._monotonic() >= self._retry_at
        return release.etag == self._etag and not retry_due

    def _apply(
        self, loaded: LoadedModel, alias: Alias | None, release: StoredRelease | None
    ) -> None:
        previous, self._refusal = self._current, None
        self._etag = release.etag if release else None
        primary = ServedModel(loaded, alias, release.document.revision if release else 0)
        challenger, weight = None, 0.0
        if release is not None and alias == CHAMPION:
            challenger, weight = self._challenger(release), release.document.challenger_weight
        else:
            self._challenger_refusal = None
        self._current = TrafficSplit(primary, challenger, weight)
        if previous is None or previous.primary.model is not loaded:
            log(logging.INFO, "model_loaded", version=loaded.version, alias=alias)

    def _refused(self, reason: str) -> None:
        self._report_refusal(reason, previous=self._refusal)
        self._refusal = reason

    def _report_refusal(self, reason: str, *, previous: str | None) -> None:
        if reason != previous:
            self._refusals += 1
            log(logging.ERROR, "model_refused", reason=reason)

    def _load(self, version: str, manifest_sha256: str | None) -> LoadedModel:
        key = (version, manifest_sha256)
        loaded = self._loaded.pop(key, None) or load_model(
            self._store,
            model_name=self._model_name,
            version=version,
            manifest_sha256=manifest_sha256,
        )
        self._loaded[key] = loaded
        while len(self._loaded) > _CACHED_MODELS:
            del self._loaded[next(iter(self._loaded))]
        return loaded

    def _load_or_problem(self, version: str, manifest_sha256: str | None) -> LoadedModel:
        try:
            return self._load(version, manifest_sha256)
        except ModelRefusedError as error:
            raise RefusedModelError(f"{error} The current model stays.") from error
        except StoreError as error:
            raise NotReadyError(str(error)) from error

    def _release(self) -> StoredRelease | None:
        """Return the release document as a request sees it.

        Raises:
            NotReadyError: It cannot be followed.
        """
        release = self._newest_release()
        if self._lost is not None:
            raise NotReadyError(self._lost)
        return release

    def _versions(self) -> list[str]:
        try:
            return list_versions(self._store, model_name=self._model_name)
        except StoreError as error:
            raise NotReadyError(str(error)) from error

    def _existing(self) -> str:
        versions = ", ".join(self._versions()) or "none: run `make run`"
        return f"Published versions: {versions}."


def _released_as(version: str, release: StoredRelease | None) -> ReleasedVersion | None:
    """Return a version as the release document names it; None where it does not."""
    document = release.document if release else None
    named = (document.champion, document.challenger) if document else ()
    return next((each for each in named if each is not None and each.version == version), None)


def _undecided(version: str) -> RefusedModelError:
    return RefusedModelError(
        f"No decision has version {version} answer here, so the current model stays: "
        "`ontime release promote`, `rollout` or `rollback` records one in the ledger, and every "
        "server follows it."
    )
