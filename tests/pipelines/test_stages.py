from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
import yaml

from pipelines.cli import AUTO
from pipelines.runtime.runner import stage_function
from pipelines.runtime.staleness import CHECKS, OUTSIDE_INPUTS
from pipelines.settings import load_settings
from pipelines.stages import MACHINE_SETTINGS, STAGES, Stage, stage_named

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = [stage.name for stage in STAGES]
IN_RUN_ORDER = ["ingest", "build_features", "train", "evaluate", "register", "publish", "promote"]


def test_the_stages_are_those_of_the_design_in_run_order() -> None:
    assert NAMES == IN_RUN_ORDER


def test_every_stage_reads_only_outputs_of_earlier_stages() -> None:
    handed_back: set[str] = set()
    for stage in STAGES:
        assert set(stage.reads) <= handed_back, stage.name
        handed_back |= {f"{stage.name}.{output}" for output in stage.outputs}


def test_every_setting_that_a_stage_names_exists() -> None:
    settings = load_settings("dev")
    overridden = [parameter.setting for stage in STAGES for parameter in stage.parameters]
    named = [
        key
        for stage in STAGES
        for key in (*stage.settings, *stage.places, *stage.other_settings, *MACHINE_SETTINGS)
    ] + [key for key in overridden if key]
    for key in named:
        value: object = settings
        for part in key.split("."):
            assert hasattr(value, part), key
            value = getattr(value, part)


@pytest.mark.parametrize("stage", STAGES, ids=NAMES)
def test_every_check_and_outside_input_that_a_stage_names_exists(stage: Stage) -> None:
    assert set(stage.outside) <= set(OUTSIDE_INPUTS)
    for check in stage.checks:
        name, _, about = check.partition(":")
        assert name in CHECKS
        assert set(re.findall(r"\{(\w+)\}", about)) <= set(stage.outputs)


@pytest.mark.parametrize("stage", STAGES, ids=NAMES)
def test_the_module_of_a_stage_has_a_run_with_its_parameters(stage: Stage) -> None:
    signature = inspect.signature(stage_function(stage))
    context, *arguments = signature.parameters.values()
    named = {parameter.name: parameter.default for parameter in arguments}
    assert context.name == "context"
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in arguments)
    assert named == {p.argument: p.default for p in stage.parameters if p.setting is None}


def test_a_stage_is_found_by_its_name() -> None:
    assert stage_named("train") is STAGES[2]
    with pytest.raises(KeyError):
        stage_named("trane")


class TestMLproject:
    project = yaml.safe_load((ROOT / "MLproject").read_text())

    def test_it_names_the_same_stages_in_the_same_order_after_main(self) -> None:
        assert list(self.project["entry_points"]) == ["main", *NAMES]

    def test_its_environment_is_the_one_that_the_lock_writes(self) -> None:
        assert (ROOT / self.project["conda_env"]).name == "conda.yaml"

    @pytest.mark.parametrize("stage", STAGES, ids=NAMES)
    def test_an_entry_point_has_the_parameters_of_its_stage_with_their_defaults(
        self, stage: Stage
    ) -> None:
        entry = self.project["entry_points"][stage.name]
        expected = {"environment": AUTO, "force": "no"} | {
            parameter.name: AUTO if parameter.default is None else parameter.default
            for parameter in stage.parameters
        }
        defaults = {name: given["default"] for name, given in entry["parameters"].items()}
        assert defaults == expected
        assert all(given["type"] == "string" for given in entry["parameters"].values())

    @pytest.mark.parametrize("name", ["main", *NAMES])
    def test_a_command_passes_every_parameter_under_its_own_name(self, name: str) -> None:
        entry = self.project["entry_points"][name]
        command = "run" if name == "main" else name
        words = entry["command"].split()
        handed_on = dict(zip(words[4::2], words[5::2], strict=True))
        assert words[:4] == ["python", "-m", "pipelines.cli", command]
        assert handed_on == {f"--{p.replace('_', '-')}": f"{{{p}}}" for p in entry["parameters"]}
