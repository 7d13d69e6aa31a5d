"""The registry backends: MLflow, a Databricks workspace, Unity Catalog, and their differences.

An MLflow server or database has aliases. Unity Catalog has aliases, wants names of three parts,
and omits tags from search results. The registry of a Databricks workspace has no aliases: there
the old stages stand for them.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from training.registry.registry_errors import NOT_THERE, RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHALLENGER: Final = "challenger"
CHAMPION: Final = "champion"
STAGES: Final[Mapping[str, str]] = {CHALLENGER: "Staging", CHAMPION: "Production"}
# Accepted names of the aliases, with the stages that MLflow had before aliases.
_WORDS: Final[Mapping[str, str]] = {
    "staging": CHALLENGER,
    "challenger": CHALLENGER,
    "production": CHAMPION,
    "champion": CHAMPION,
}
_ARCHIVED: Final = "Archived"
_PART: Final = r"[A-Za-z0-9_-]+"
Kind: TypeAlias = Literal["mlflow", "workspace", "unity"]


class AliasStore(Protocol):
    """The aliases of a registered model's versions."""

    def all(self) -> Mapping[str, str]:
        """Return the version of each alias that one has."""

    def give(self, alias: str, version: str) -> None:
        """Give an alias to a version; no other has it then."""

    def take(self, alias: str) -> None:
        """Take an alias from the version that has it."""


def alias_named(word: str) -> str:
    """Return the alias that a word means: `Staging` is challenger, `Production` champion.

    Raises:
        RegistryError: It means none.
    """
    try:
        return _WORDS[word.lower()]
    except KeyError as error:
        raise RegistryError(
            f"'{word}' is no alias: use challenger (Staging) or champion (Production)."
        ) from error


def kind_of(registry: str) -> Kind:
    """Return the kind of the registry at an address (`databricks-uc`, `databricks`, any other)."""
    scheme = registry.partition("://")[0]
    if scheme == "databricks-uc":
        return "unity"
    return "workspace" if scheme == "databricks" else "mlflow"


def require_name(kind: Kind, name: str) -> None:
    """Refuse a model name that a kind of registry cannot have.

    Raises:
        RegistryError: Unity Catalog wants catalog.schema.model, a workspace a name without dots.
    """
    if kind == "unity" and not re.fullmatch(rf"{_PART}\.{_PART}\.{_PART}", name):
        raise RegistryError(
            f"Unity Catalog names a model by catalog.schema.model, and serving.model_name is "
            f"'{name}': set it to something like prod.flights.ontime in conf/."
        )
    if kind == "workspace" and "." in name:
        raise RegistryError(
            f"serving.model_name is '{name}', and a workspace's registry has no catalogs: set "
            "training.registry_uri to databricks-uc, or take the dots out of the name, in conf/."
        )


def aliases_in(kind: Kind, client: MlflowClient, name: str) -> AliasStore:
    """Return the aliases of a registered model as its kind of registry has them."""
    return _Stages(client, name) if kind == "workspace" else _Aliases(client, name)


def found_versions(kind: Kind, client: MlflowClient, name: str) -> list[ModelVersion]:
    """Return all versions of a registered model, with their tags; none if there is no such."""
    found: list[ModelVersion] = []
    token: str | None = None
    while token is None or token:
        page = client.search_model_versions(f"name='{name}'", page_token=token)
        found.extend(page)
        token = page.token or ""
    if kind == "unity":  # search results have no tags: each version is fetched
        return [client.get_model_version(name, str(each.version)) for each in found]
    return found


class _Aliases:
    def __init__(self, client: MlflowClient, name: str) -> None:
        self._client = client
        self._name = name

    def all(self) -> Mapping[str, str]:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - takes seconds

        try:
            aliases = self._client.get_registered_model(self._name).aliases
        except MlflowException as error:
            if error.error_code == NOT_THERE:
                return {}
            raise
        return {alias: str(version) for alias, version in aliases.items()}

    def give(self, alias: str, version: str) -> None:
        self._client.set_registered_model_alias(self._name, alias, version)

    def take(self, alias: str) -> None:
        self._client.delete_registered_model_alias(self._name, alias)


class _Stages:
    """Aliases mapped to the legacy stages of MLflow; one version has one stage."""

    def __init__(self, client: MlflowClient, name: str) -> None:
        self._client = client
        self._name = name

    def all(self) -> Mapping[str, str]:
        return dict(self._staged())

    def give(self, alias: str, version: str) -> None:
        self._move(version, STAGES[alias], archive=True)

    def take(self, alias: str) -> None:
        version = self.all().get(alias)
        if version is not None:
            self._move(version, _ARCHIVED, archive=False)

    def _staged(self) -> Iterator[tuple[str, str]]:
        """Yield alias and version, the newest version of a stage last."""
        versions = found_versions("workspace", self._client, self._name)
        for each in sorted(versions, key=lambda found: int(found.version)):
            for alias, stage in STAGES.items():
                if each.current_stage == stage:
                    yield alias, str(each.version)

    def _move(self, version: str, stage: str, *, archive: bool) -> None:
        with warnings.catch_warnings():  # deprecated, and all that a workspace's registry has
            warnings.simplefilter("ignore", FutureWarning)
            self._client.transition_model_version_stage(self._name, version, stage, archive)
