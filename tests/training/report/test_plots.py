"""Plots are valid images, each of its own, and the same every time."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from tests.training.made import evaluated, plots, scored
from training.report.plots import plots_of

NAMES = ["roc", "precision_recall", "calibration", "gain", "scores"]


def test_there_is_one_of_each() -> None:
    found = plots_of(scored(), evaluated().evaluation)
    assert list(found) == NAMES
    assert len(set(found.values())) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_plot_is_an_svg_image_with_curves(name: str) -> None:
    image = ET.fromstring(plots()[name].decode())  # noqa: S314 - our own image
    assert image.tag.endswith("svg")
    assert len(list(image.iter("{http://www.w3.org/2000/svg}path"))) > 10


def test_the_same_figures_give_the_same_bytes() -> None:
    found = plots_of(scored(), evaluated().evaluation)
    assert found == {name: plots()[name] for name in NAMES}
