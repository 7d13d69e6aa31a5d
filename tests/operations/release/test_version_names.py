from __future__ import annotations

import pytest

from operations.release.version_names import UnknownReleaseError, package_of, version_named
from tests.operations.lives import ONE, TWO, Life
from training.registry.registry_errors import RegistryError


@pytest.mark.parametrize(
    ("word", "version"),
    [("Production", "1"), ("champion", "1"), ("Staging", "2"), ("challenger", "2"), ("7", "7")],
)
def test_a_word_means_what_is_released_under_it(life: Life, word: str, version: str) -> None:
    life.champion(ONE)
    life.on_trial(TWO)
    assert version_named(word, life.ledger) == version


def test_a_word_that_means_nothing_is_told(life: Life) -> None:
    with pytest.raises(UnknownReleaseError, match="No version is released as challenger"):
        version_named("Staging", life.ledger)
    with pytest.raises(RegistryError, match="'best' is no alias"):
        version_named("best", life.ledger)


def test_the_package_of_a_version_is_the_released_or_the_published_one(life: Life) -> None:
    life.champion(ONE)
    life.champion(TWO)
    assert package_of("2", life.ledger) == TWO
    assert package_of("1", life.ledger) == ONE
    with pytest.raises(UnknownReleaseError, match="Version 7 was never published"):
        package_of("7", life.ledger)
