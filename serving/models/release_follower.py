"""Follows the release document: this server answers with what is released, or what it was told.

Beside the champion it loads the challenger, which answers its share of the flights.
A model is loaded beside the one that answers and takes its place at once when all its checks hold;
until then, and when one does not, the one before keeps answering.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from serving.models.model_loader import LoadedModel, ModelRefusedError, load_model
from serving.models.model_package import list_versions
from serving.models.release_document import ReleaseError, StoredRelease, read_release
from serving.models.traffic_split import CHALLENGER, CHAMPION, Alias, ServedModel, Split
from serving.schema.problems import NotReadyError, RefusedModelError, UnknownModelError
from serving.stores.errors import StoreError
from serving.telemetry.logs import log

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.stores.artifacts.local import ArtifactStore

RETRY_SECONDS: Final = 30.0
_KEPT: Final = 4
_NOTHING_RELEASED: Final = (
    "No model is released yet: run `make run`, which trains, registers and releases one."
)


class ModelFollower:
    """Keeps the model that answers; safe to use from several threads.

    Args:
        store: Where the release document and the packages are.
        model_name: Registered model.
        monotonic: Seconds that never go back; a test sets its own.
    """

    def __init__(
        self,
        store: ArtifactStore,
        model_name: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._model_name = model_name
        self._monotonic = monotonic
        self._one_at_a_time = threading.Lock()
        self._loaded: dict[tuple[str, str | None], LoadedModel] = {}
        self._follows: Alias | None = CHAMPION
        self._current: Split | None = None
        self._etag: str | None = None
        self._retry_at = 0.0
        self._refusal: str | None = None
        self._trial_refusal: str | None = None
        self._refusals = 0

    @property
    def refusal(self) -> str | None:
        """Why what is released is not what answers; None when it is."""
        return self._refusal

    @property
    def trial_refusal(self) -> str | None:
        """Why the challenger does not answer its share; None when it does, or there is none."""
        return self._trial_refusal

    @property
    def refusals(self) -> int:
        """How often something released was refused, since this server started."""
        return self._refusals

    def split(self) -> Split:
        """Return the models that answer.

        Raises:
            NotReadyError: There is none; says why and what to do.
        """
        split = self._current
        if split is None:
            raise NotReadyError(self._refusal or _NOTHING_RELEASED)
        return split

    def current(self) -> ServedModel:
        """Return the model that answers, of two the champion.

        Raises:
            NotReadyError: There is none; says why and what to do.
        """
        return self.split().main

    def refresh(self) -> None:
        """Look at the release document and take over what changed; a failure is logged, not raised.

        After a failure it tries again when the document changes, and every 30 seconds.
        """
        with self._one_at_a_time:
            try:
                self._refresh()
            except (ReleaseError, StoreError, ModelRefusedError) as error:
                self._refused(str(error))

    def follow(self, alias: Alias) -> ServedModel:
        """Answer with the version that has this alias, now and after every release.

        Raises:
            UnknownModelError: No version has the alias.
            RefusedModelError: Its version may not be served; the one before keeps answering.
            NotReadyError: The store cannot be read.
        """
        with self._one_at_a_time:
            release = self._release()
            released = release.document.version_of(alias) if release else None
            if release is None or released is None:
                raise UnknownModelError(f"No version is released as {alias}. {self._existing()}")
            loaded = self._load_or_problem(released.version, released.manifest_sha256)
            self._follows = alias
            self._take(loaded, alias, release)
            return self.current()

    def stay_with(self, version: str) -> ServedModel:
        """Answer with this version until told to follow an alias.

        Raises:
            UnknownModelError: No package of this version was published.
            RefusedModelError: It may not be served; the one before keeps answering.
            NotReadyError: The store cannot be read.
        """
        with self._one_at_a_time:
            release = self._release()
            if version not in self._versions():
                raise UnknownModelError(
                    f"Version '{version}' of model {self._model_name} was not published. "
                    f"{self._existing()}"
                )
            loaded = self._load_or_problem(version, None)
            self._follows = None
            self._take(loaded, None, release)
            return self.current()

    def _refresh(self) -> None:
        if self._follows is None:
            return
        release = read_release(self._store)
        if release is None or self._has_seen(release):
            return
        self._etag = release.etag
        self._retry_at = self._monotonic() + RETRY_SECONDS
        released = release.document.version_of(self._follows)
        if released is None:
            self._refused(f"No version is released as {self._follows}: the one before answers.")
            return
        self._take(self._load(released.version, released.manifest_sha256), self._follows, release)

    def _trial(self, release: StoredRelease) -> ServedModel | None:
        """Return the challenger beside the champion; one that is refused answers nobody."""
        released, refusal, trial = release.document.challenger, None, None
        if released is not None and released != release.document.champion:
            try:
                loaded = self._load(released.version, released.manifest_sha256)
                trial = ServedModel(loaded, CHALLENGER, release.document.revision)
            except (ModelRefusedError, StoreError) as error:
                refusal = f"The champion answers for it. {error}"
                self._tell_refusal(refusal, before=self._trial_refusal)
        self._trial_refusal = refusal
        return trial

    def _has_seen(self, release: StoredRelease) -> bool:
        well = self._refusal is None and self._trial_refusal is None
        waits = well or self._monotonic() < self._retry_at
        return release.etag == self._etag and waits

    def _take(
        self, loaded: LoadedModel, alias: Alias | None, release: StoredRelease | None
    ) -> None:
        before, self._refusal = self._current, None
        self._etag = release.etag if release else None
        main = ServedModel(loaded, alias, release.document.revision if release else 0)
        trial, weight = None, 0.0
        if release is not None and alias == CHAMPION:
            trial, weight = self._trial(release), release.document.challenger_weight
        else:
            self._trial_refusal = None
        self._current = Split(main, trial, weight)
        if before is None or before.main.model is not loaded:
            log(logging.INFO, "model_loaded", version=loaded.version, alias=alias)

    def _refused(self, reason: str) -> None:
        self._tell_refusal(reason, before=self._refusal)
        self._refusal = reason

    def _tell_refusal(self, reason: str, *, before: str | None) -> None:
        if reason != before:
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
        while len(self._loaded) > _KEPT:
            del self._loaded[next(iter(self._loaded))]
        return loaded

    def _load_or_problem(self, version: str, manifest_sha256: str | None) -> LoadedModel:
        try:
            return self._load(version, manifest_sha256)
        except ModelRefusedError as error:
            raise RefusedModelError(f"{error} The model before keeps answering.") from error
        except StoreError as error:
            raise NotReadyError(str(error)) from error

    def _release(self) -> StoredRelease | None:
        try:
            return read_release(self._store)
        except (ReleaseError, StoreError) as error:
            raise NotReadyError(str(error)) from error

    def _versions(self) -> list[str]:
        try:
            return list_versions(self._store, model_name=self._model_name)
        except StoreError as error:
            raise NotReadyError(str(error)) from error

    def _existing(self) -> str:
        versions = ", ".join(self._versions()) or "none: run `make run`"
        return f"Published versions: {versions}."
