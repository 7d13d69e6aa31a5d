"""What a model has learned is drawn: each plot of its own, the same every time."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import msgspec

from tests.training.made import evaluated, model_importances, trained
from training.report.plots import insights_of

NAMES = ["learning_curve", "families", "importance", "slices"]


def test_there_is_one_image_of_each_and_the_same_again() -> None:
    found = insights_of(trained().curve, model_importances(), evaluated().evaluation)
    assert list(found) == NAMES
    assert found == insights_of(trained().curve, model_importances(), evaluated().evaluation)
    for image in found.values():
        assert ET.fromstring(image.decode()).tag.endswith("svg")  # noqa: S314 - our own image


def test_without_slices_of_enough_flights_there_is_no_plot_of_them() -> None:
    evaluation = msgspec.structs.replace(evaluated().evaluation, slices=())
    assert list(insights_of(trained().curve, model_importances(), evaluation)) == NAMES[:-1]
