"""The name of a feature table contains its horizon, label and ingest instant."""

from __future__ import annotations

import datetime as dt

import pytest

from features.settings import FeatureSettings

INSTANT = dt.datetime(2013, 6, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (FeatureSettings(), "h120"),
        (FeatureSettings(late_from_min=15), "h120"),
        (FeatureSettings(horizon_min=30), "h30"),
        (FeatureSettings(late_from_min=45), "h120_late45"),
        (
            FeatureSettings(late_from_min=45, as_of_ingest=INSTANT),
            "h120_late45_as_of_20130601T000000000000Z",
        ),
    ],
)
def test_what_differs_from_the_default_is_in_the_key(settings: FeatureSettings, key: str) -> None:
    assert settings.key == key
    assert settings.table == f"gold_features_{key}"
