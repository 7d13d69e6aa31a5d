"""The registry of model versions: aliases, and one version for one training fingerprint."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from functools import cached_property
from typing import TYPE_CHECKING

from training.data.parts import SplitSettings
from training.registry.registry_backends import (
    alias_named,
    aliases_in,
    found_versions,
    kind_of,
    require_name,
)
from training.registry.registry_errors import NOT_THERE, THERE_ALREADY, RegistryError, explained
from training.tracking import lineage as lineages
from training.tracking.run_files import (
    EXPORTED,
    FINGERPRINT_TAG,
    LINEAGE_FILE,
    MODEL_TAG,
    RunFileError,
    client_of,
    mlflow_at,
    read_file,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from training.registry.registry_backends import AliasStore


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A version of the registered model.

    Attributes:
        version: Its number, as text.
        run_id: The training run that made it.
        fingerprint: What it was trained from; empty if it was registered by other means.
        created_at: When it was registered, in milliseconds since the epoch.
        aliases: The aliases that point to it.
    """

    version: str
    run_id: str
    fingerprint: str
    created_at: int
    aliases: tuple[str, ...]


class Registry:
    """The versions of one registered model.

    Args:
        store: Address of the MLflow tracking store.
        name: The registered model.
        registry: Address of the registry; None if it is the tracking store.
        client: MLflow's client of both; by default one is made when it is first needed.

    Raises:
        RegistryError: The registry cannot have a model of this name.
    """

    def __init__(
        self,
        store: str,
        name: str,
        registry: str | None = None,
        *,
        client: MlflowClient | None = None,
    ) -> None:
        self.store = store
        self._address = registry or store
        self._kind = kind_of(self._address)
        require_name(self._kind, name)
        self.name = name
        self._given = client

    @cached_property
    def _client(self) -> MlflowClient:
        return self._given or client_of(self.store, self._address)

    @cached_property
    def _aliases(self) -> AliasStore:
        return aliases_in(self._kind, self._client, self.name)

    def register(self, run_id: str) -> RegisteredVersion:
        """Return the version of a training run, registered now unless its fingerprint has one.

        Args:
            run_id: A finished training run.

        Raises:
            RegistryError: There is no such run, or it holds no model.
        """
        fingerprint, source = self._trained(run_id)
        found = self.with_fingerprint(fingerprint)
        if found is not None:
            return found
        self._make_model()
        tags = {FINGERPRINT_TAG: fingerprint}
        with explained(self._address), mlflow_at(self.store):
            made = self._client.create_model_version(self.name, source, run_id, tags)
        return self.get(str(made.version))

    def with_fingerprint(self, fingerprint: str) -> RegisteredVersion | None:
        """Return the first version trained from that fingerprint; None if there is none."""
        same = [found for found in self.versions() if found.fingerprint == fingerprint]
        return same[0] if same else None

    def versions(self) -> tuple[RegisteredVersion, ...]:
        """Return all versions, oldest first; none if the model was never registered."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - takes seconds

        with explained(self._address):
            aliases = self._aliases.all()
            try:
                found = found_versions(self._kind, self._client, self.name)
            except MlflowException as error:
                if error.error_code != NOT_THERE:
                    raise
                found = []
        described = [_described(version, aliases) for version in found]
        return tuple(sorted(described, key=lambda version: int(version.version)))

    def get(self, version: str) -> RegisteredVersion:
        """Return a version by its number.

        Raises:
            RegistryError: There is no such version.
        """
        versions = self.versions()
        for found in versions:
            if found.version == version:
                return found
        raise RegistryError(
            f"Model {self.name} has no version {version} in the registry: "
            f"it has {', '.join(each.version for each in versions) or 'none'}."
        )

    def resolve(self, word: str) -> RegisteredVersion:
        """Return the version that a number, an alias, or `Staging` or `Production` names.

        Raises:
            RegistryError: It names none.
        """
        if word.isdigit():
            return self.get(word)
        alias = alias_named(word)
        version = self.version_of(alias)
        if version is None:
            raise RegistryError(
                f"No version of model {self.name} is {alias} yet: run `make run` first, "
                "or give a number."
            )
        return self.get(version)

    def version_of(self, alias: str) -> str | None:
        """Return the number of the version with an alias; None if no version has it."""
        with explained(self._address):
            return self._aliases.all().get(alias)

    def point(self, alias: str, version: str | None) -> None:
        """Give an alias to a version; None takes it away.

        Raises:
            RegistryError: There is no such version.
        """
        if version is not None:
            self.get(version)
            with explained(self._address):
                self._aliases.give(alias, version)
        elif self.version_of(alias) is not None:
            with explained(self._address):
                self._aliases.take(alias)

    def files(self, version: str, names: Iterable[str]) -> dict[str, bytes]:
        """Return the exported files of a version: model, contract, card and self-test.

        Raises:
            RegistryError: There is no such version.
            RunFileError: Its run does not have one of them.
        """
        run_id = self.get(version).run_id
        return {name: read_file(self._client, run_id, f"{EXPORTED}/{name}") for name in names}

    def learned(self, version: str) -> tuple[str, str] | None:
        """Return the scheduled departures, UTC, between which a version's training flights lie.

        Its train and validate parts: from the first instant to before the last. None for a run
        whose lineage is lost, or is from before its settings were recorded.

        Raises:
            RegistryError: There is no such version.
        """
        try:
            body = read_file(self._client, self.get(version).run_id, LINEAGE_FILE)
        except RunFileError:
            return None
        split = lineages.from_json(body).settings.get("training", {}).get("split")
        if split is None:
            return None
        parts = SplitSettings.model_validate(split)
        since, until = (at.astimezone(UTC) for at in (parts.train_from, parts.test_from))
        return f"{since:%Y-%m-%dT%H:%M:%SZ}", f"{until:%Y-%m-%dT%H:%M:%SZ}"

    def _make_model(self) -> None:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - takes seconds

        try:
            with explained(self._address):
                self._client.create_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != THERE_ALREADY:
                raise

    def _trained(self, run_id: str) -> tuple[str, str]:
        """Return the training fingerprint of a run and the address of its model."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - takes seconds

        try:
            run = self._client.get_run(run_id)
        except MlflowException as error:
            raise RegistryError(
                f"The tracking store has no run {run_id}: train again with `ontime train --force`."
            ) from error
        fingerprint, model = (run.data.tags.get(tag) for tag in (FINGERPRINT_TAG, MODEL_TAG))
        if run.info.status != "FINISHED" or not fingerprint or not model:
            raise RegistryError(
                f"Run {run_id} is no finished training run (status {run.info.status}): train again "
                "with `ontime train --force`."
            )
        return fingerprint, model


def _described(version: ModelVersion, aliases: Mapping[str, str]) -> RegisteredVersion:
    number = str(version.version)
    return RegisteredVersion(
        version=number,
        run_id=version.run_id or "",
        fingerprint=version.tags.get(FINGERPRINT_TAG, ""),
        created_at=version.creation_timestamp,
        aliases=tuple(sorted(alias for alias, at in aliases.items() if at == number)),
    )
