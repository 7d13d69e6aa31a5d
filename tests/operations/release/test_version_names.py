from __future__ import annotations

import pytest

from operations.release.version_names import UnknownReleaseError, package_of, version_named
from tests.operations.ledger_world import ONE, TWO, LedgerWorld
from training.registry.registry_errors import RegistryError


@pytest.mark.parametrize(
    ("word", "version"),
    [("Production", "1"), ("champion", "1"), ("Staging", "2"), ("challenger", "2"), ("7", "7")],
)
def test_an_alias_names_the_version_released_under_it(
    world: LedgerWorld, word: str, version: str
) -> None:
    world.champion(ONE)
    world.publish(TWO)
    assert version_named(word, world.ledger) == version


def test_an_alias_without_a_version_is_reported(world: LedgerWorld) -> None:
    with pytest.raises(UnknownReleaseError, match="No version is released as challenger"):
        version_named("Staging", world.ledger)
    with pytest.raises(RegistryError, match="'best' is no alias"):
        version_named("best", world.ledger)


def test_the_package_of_a_version_is_the_released_or_the_published_one(world: LedgerWorld) -> None:
    world.champion(ONE)
    world.champion(TWO)
    assert package_of("2", world.ledger) == TWO
    assert package_of("1", world.ledger) == ONE
    with pytest.raises(UnknownReleaseError, match="Version 7 was never published"):
        package_of("7", world.ledger)
