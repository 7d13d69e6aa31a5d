"""The model card describes the model completely, in one file."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.training.made import LINEAGE, evaluated, plots, trained
from tests.training.study.test_study_results import study
from tests.training.world import CONF, FEATURES, settings
from training.evaluate.bootstrap import Interval
from training.evaluate.gates import Rival
from training.evaluate.quality_metrics import AUC
from training.report.model_card import CardContent, card_of

ALONE = {"br", "meta", "img"}


def card(champion: Rival | None = None, **over: Any) -> str:
    report = evaluated(champion=champion, **over)
    content = CardContent(report, trained().contract, LINEAGE, plots())
    return card_of(content, settings(**over), FEATURES).decode()


class Nesting(HTMLParser):
    """Follows which elements are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(dict(attrs)["src"] or "")
        if tag not in ALONE:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_it_is_one_well_formed_page_that_loads_nothing() -> None:
    # Given a card, When it is parsed
    page = Nesting()
    page.feed(card())
    # Then every element is closed, the images are in it, and it names no other place
    assert page.open == []
    assert len(page.images) == len(plots()) == 9
    assert all(image.startswith("data:image/svg+xml;base64,") for image in page.images)
    assert not re.search(r"https?://|<script|<link|@import", card())


def test_it_shows_quality_beside_the_naive_model() -> None:
    evaluation = evaluated().evaluation
    for value in (evaluation.model[AUC], evaluation.naive[AUC]):
        assert f"{value.value:.3f}" in card()
        assert f"{value.low:.3f} to {value.high:.3f}" in card()


@pytest.mark.parametrize(
    "expected",
    [
        "120 minutes before",
        "gold_features_h120, Delta version 3, 2,000 rows",
        "ab" * 32,
        "c" * 40,
        "with uncommitted changes",
        "late_before",
        "EWR",
        "2013-02",
        "passed all 11 gates",
        "There is no champion to compare with.",
    ],
)
def test_it_contains(expected: str) -> None:
    assert expected in card()


def test_it_describes_the_comparison_with_the_champion() -> None:
    better = Rival("7", 0.6, Interval(0.1234, 0.05, 0.15))
    assert "version 7: AUC +0.1234 (0.050 to 0.150)" in re.sub(r"\s+", " ", card(better))
    gone = Rival("7", problem="the feature table has no wind any more")
    assert "version 7: the feature table has no wind any more." in card(gone)


def test_it_describes_a_refusal_with_its_reason() -> None:
    refused = card(gates={**CONF["gates"], "minimum_auc": 0.99})
    assert "refused by 1 of 11 gates" in refused
    assert "at least 0.99 wanted." in refused


def test_its_inputs_are_rendered_as_text_and_never_as_markup() -> None:
    gone = card(Rival("7", problem="<b>no wind</b>"))
    assert "&lt;b&gt;no wind&lt;/b&gt;" in gone
    assert "<b>no wind" not in gone


def test_it_warns_of_tail_numbers_only_if_it_uses_them() -> None:
    # Given a model whose last feature is about the tail number, and one without such a feature
    content = CardContent(evaluated(), trained().contract, LINEAGE, plots())
    about_tail = (*FEATURES[:-1], replace(FEATURES[-1], family="tail"))
    with_tail, without = (
        card_of(content, settings(), features).decode() for features in (about_tail, FEATURES)
    )
    # Then only the card of the first describes the problem with tail numbers
    assert "actually flown" in with_tail
    assert "actually flown" not in without


def test_it_describes_the_results_of_a_study_if_there_was_one() -> None:
    content = CardContent(evaluated(), trained().contract, LINEAGE, plots(), study())
    text = card_of(content, settings(), FEATURES).decode()
    assert "without the tail number" in text
    assert "8 trials of other parameters" in text
    assert "And under other conditions?" not in card()


def test_it_describes_the_cost_of_the_threshold() -> None:
    assert "costs as much as 2 false alarms" in re.sub(r"\s+", " ", card())
