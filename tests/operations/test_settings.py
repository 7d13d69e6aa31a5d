from __future__ import annotations

import pytest

from ontime_base.configuration import ConfError, load_conf, parse_section
from operations.settings import OperationsSettings


def test_only_dev_makes_a_version_champion_immediately() -> None:
    found = {
        environment: parse_section(OperationsSettings, load_conf(environment), "operations").rollout
        for environment in ("dev", "staging", "prod")
    }
    assert found == {"dev": "direct", "staging": "gradual", "prod": "gradual"}


def test_an_unknown_rollout_is_refused_by_name() -> None:
    with pytest.raises(ConfError, match=r"operations\.rollout"):
        parse_section(OperationsSettings, {"operations": {"rollout": "sudden"}}, "operations")


def test_only_in_prod_a_person_has_to_approve() -> None:
    found = {
        environment: parse_section(
            OperationsSettings, load_conf(environment), "operations"
        ).approval
        for environment in ("dev", "staging", "prod")
    }
    assert found == {"dev": "none", "staging": "none", "prod": "required"}
