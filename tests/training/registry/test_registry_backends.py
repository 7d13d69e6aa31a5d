"""What differs between the kinds of registry.

No Unity Catalog is here: `UnityCatalog` answers as MLflow's client for it does (MLflow 3.17,
`mlflow/store/_unity_catalog`), in what we use of it.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST
from mlflow.store.entities import PagedList

from training.registry.model_registry import Registry
from training.registry.registry_backends import (
    STAGES,
    alias_named,
    aliases_in,
    kind_of,
    require_name,
)
from training.registry.registry_errors import RegistryError, RegistryUnusableError, explained
from training.tracking.run_files import FINGERPRINT_TAG, client_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

NAME = "prod.flights.ontime"
UNITY = "databricks-uc"


class UnityCatalog:
    """Versions by number, and aliases; what is found has neither tags nor aliases."""

    def __init__(self) -> None:
        self.fingerprints: dict[str, str] = {}
        self.aliases: dict[str, str] = {}

    def search_model_versions(self, wanted: str, page_token: str | None = None) -> Any:
        assert wanted == f"name='{NAME}'"
        numbers = sorted(self.fingerprints)
        at = int(page_token or 0)
        after = str(at + 1) if at + 1 < len(numbers) else ""  # a page has one version
        found = [ModelVersion(NAME, number, 1, 1) for number in numbers[at : at + 1]]
        return PagedList(found, after)

    def get_model_version(self, name: str, version: str) -> ModelVersion:
        assert name == NAME
        tag: Any = SimpleNamespace(key=FINGERPRINT_TAG, value=self.fingerprints[version])
        return ModelVersion(NAME, version, 1, 1, run_id=f"run-{version}", tags=[tag])

    def get_registered_model(self, name: str) -> RegisteredModel:
        if not self.fingerprints:
            raise MlflowException(name, RESOURCE_DOES_NOT_EXIST)
        aliases = [SimpleNamespace(alias=a, version=v) for a, v in self.aliases.items()]
        return RegisteredModel(name, aliases=aliases)

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        assert name == NAME
        self.aliases[alias] = version

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        assert name == NAME
        del self.aliases[alias]


@pytest.fixture
def catalog() -> UnityCatalog:
    return UnityCatalog()


@pytest.fixture
def registry(catalog: UnityCatalog) -> Registry:
    return Registry("databricks", NAME, UNITY, client=cast("MlflowClient", catalog))


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("sqlite:////srv/mlflow.db", "mlflow"),
        ("http://127.0.0.1:5000", "mlflow"),
        ("databricks", "workspace"),
        ("databricks://prod", "workspace"),
        (UNITY, "unity"),
        ("databricks-uc://prod", "unity"),
    ],
)
def test_a_registry_is_known_by_its_address(address: str, kind: str) -> None:
    assert kind_of(address) == kind


@pytest.mark.parametrize("name", ["ontime", "flights.ontime", "a.b.c.d", "a..c", "a.b.c d"])
def test_unity_catalog_requires_a_name_of_three_parts(name: str) -> None:
    with pytest.raises(RegistryError, match=r"catalog\.schema\.model.*prod\.flights\.ontime"):
        Registry("databricks", name, UNITY)


def test_a_workspace_has_no_catalogs() -> None:
    with pytest.raises(RegistryError, match="databricks-uc"):
        Registry("databricks", NAME, "databricks")
    require_name("workspace", "ontime")
    require_name("mlflow", NAME)


def test_a_version_in_unity_catalog_is_found_by_its_fingerprint(
    registry: Registry, catalog: UnityCatalog
) -> None:
    # Given two versions, on two pages without tags
    catalog.fingerprints = {"1": "abc", "2": "def"}
    # When one is searched, Then the tags of each are requested
    found = registry.with_fingerprint("def")
    assert found is not None
    assert (found.version, found.run_id) == ("2", "run-2")


def test_aliases_in_unity_catalog_move(registry: Registry, catalog: UnityCatalog) -> None:
    catalog.fingerprints = {"1": "abc", "2": "def"}
    registry.point("champion", "1")
    registry.point("champion", "2")
    assert [each.aliases for each in registry.versions()] == [(), ("champion",)]
    registry.point("champion", None)
    assert registry.version_of("champion") is None


def test_a_model_that_is_not_in_unity_catalog_has_no_versions(registry: Registry) -> None:
    assert registry.versions() == ()
    assert registry.version_of("champion") is None


def test_the_client_asks_two_stores_where_the_registry_is_not_the_tracking_store() -> None:
    client = client_of("sqlite:////srv/mlflow.db", UNITY)
    assert client.tracking_uri == "sqlite:////srv/mlflow.db"
    assert client._registry_uri == UNITY  # noqa: SLF001 - the client shows it nowhere else


@pytest.mark.parametrize("word", ["Staging", "staging", "challenger", "Challenger"])
def test_staging_is_the_challenger(word: str) -> None:
    assert alias_named(word) == "challenger"
    assert STAGES[alias_named(word)] == "Staging"


def test_of_two_versions_put_into_a_stage_by_hand_the_newer_has_the_alias() -> None:
    class Workspace:
        def search_model_versions(self, _: str, page_token: str | None = None) -> Any:
            assert page_token is None
            staged = [ModelVersion("ontime", n, 1, 1, current_stage="Production") for n in "132"]
            return PagedList(staged, None)

    aliases = aliases_in("workspace", cast("MlflowClient", Workspace()), "ontime")
    assert aliases.all() == {"champion": "3"}


def test_a_refusal_of_mlflow_is_reported_with_the_registry() -> None:
    with (
        pytest.raises(RegistryUnusableError, match=r"The registry databricks-uc.*no grant"),
        explained(UNITY),
    ):
        raise MlflowException("no grant\nand a long trace")
