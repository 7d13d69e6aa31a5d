"""Schemathesis finds no problem in either adapter, by requests from the OpenAPI document."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from serving.docs.openapi import openapi_document
from serving.settings import LimitSettings
from tests.api_gateway import gateway
from tests.lambda_runtime import running_function
from tests.serving.support import ROOT, SETTINGS, a_home, a_service, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

# A flight may be well written and not exist: whether it does is no matter of the document.
EXCLUDED = [schemathesis.checks.positive_data_acceptance]
# A busy machine is not a failure; a large body is refused whatever its content.
PATIENT = msgspec.structs.replace(
    SETTINGS,
    max_body_bytes=64 * 1024,
    limits=LimitSettings(requests_per_second=0, most_lag_ms=60_000),
)
SCHEMA = schemathesis.openapi.from_dict(openapi_document())
OPERATIONS = [each.ok() for each in SCHEMA.get_all_operations() if isinstance(each, Ok)]


@pytest.fixture(scope="module", params=["http", "lambda"])
def address(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    home = a_home(tmp_path_factory.mktemp("home") / request.param)
    if request.param == "http":
        with running_server(a_service(home, PATIENT)) as url:
            yield url
        return
    with (
        running_function(
            "serving.lambdas.api_handler.handler",
            cwd=ROOT,
            log=home / "function.log",
            environment={
                "ONTIME_HOME": str(home),
                "ONTIME_SERVING": msgspec.json.encode(PATIENT).decode(),
            },
        ) as function,
        gateway(function) as url,
    ):
        yield url


def run_schemathesis(address: str, operation: object, mode: GenerationMode, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))  # type: ignore[attr-defined] # typed loosely
    def check(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(base_url=address, excluded_checks=EXCLUDED)

    check()


CASES = [
    pytest.param(operation, mode, id=f"{operation.label} {mode.value}")
    for operation in OPERATIONS
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or operation.body or operation.query
]


@pytest.mark.parametrize(("operation", "mode"), CASES)
def test_nothing_is_found(address: str, operation: object, mode: GenerationMode) -> None:
    run_schemathesis(address, operation, mode, 50)


@pytest.mark.slow
@pytest.mark.parametrize(("operation", "mode"), CASES)
def test_nothing_is_found_in_a_long_run(
    address: str, operation: object, mode: GenerationMode
) -> None:
    run_schemathesis(address, operation, mode, 200)


@pytest.mark.slow
def test_its_own_command_finds_nothing(address: str) -> None:
    # Given the command with all its phases: examples, coverage, fuzzing, sequences of calls
    command = ["schemathesis", "run", "docs/openapi.json", "--url", address, "--no-color"]
    command += ["--exclude-checks", "positive_data_acceptance", "--max-examples", "100"]
    found = subprocess.run(
        [str(Path(sys.executable).parent / command[0]), *command[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-5000:]
