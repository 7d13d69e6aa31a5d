"""The fingerprint of a stage: a checksum of each input, and the difference of two such lists.

A part is a source file, the version of a library, a configuration key or an upstream output. Only
what a stage really uses is a part (`source_code` lists its source files).
"""

from __future__ import annotations

import hashlib
import json
from functools import reduce
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

from ontime_base.configuration import Settings
from pipelines.runtime.source_code import code_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipelines.runtime.context import RunContext
    from pipelines.settings import PipelineSettings
    from pipelines.stages import Stage, Value


def parts_of(
    stage: Stage,
    context: RunContext,
    outside: Mapping[str, str] | None = None,
    arguments: Mapping[str, Value | None] | None = None,
) -> dict[str, str]:
    """Return what a stage's result would be made from now, by name.

    Args:
        stage: The stage.
        context: Its settings and the records of the stages before it.
        outside: Inputs that no stage makes, such as source files, with their checksums; if any.
        arguments: What its `run` is given by name, if anything.

    Raises:
        StageNotRunError: A stage before it has not succeeded.
    """
    parts = {f"source {name}": value for name, value in (outside or {}).items()}
    parts |= {f"argument {name}": _text(value) for name, value in (arguments or {}).items()}
    for read in stage.reads:
        upstream, output = read.split(".", 1)
        parts[f"{upstream}'s {output}"] = _text(context.outputs(upstream)[output])
    for module in (stage.module, *stage.code):
        parts |= dict(sorted(code_of(module).items()))
    parts |= {library: version(library) for library in stage.libraries}
    for path in stage.settings:
        parts |= {key: _text(value) for key, value in _values(path, context.settings)}
    return parts


def places_of(stage: Stage, settings: PipelineSettings) -> dict[str, str]:
    """Return the settings that decide where a stage's result is stored, by name, as checksums.

    They do not affect the content of the result, and an address may hold a password.

    Args:
        stage: The stage.
        settings: The configuration.
    """
    values = {key: each for path in stage.places for key, each in _values(path, settings)}
    return {key: hashlib.sha256(_text(value).encode()).hexdigest() for key, value in values.items()}


def fingerprint(parts: Mapping[str, str]) -> str:
    """Return the SHA-256 of a stage's parts, in hex."""
    return hashlib.sha256(_text(dict(parts)).encode()).hexdigest()


def difference(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return a short text on what changed between two lists of parts; empty if nothing did."""
    changed = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    if not changed:
        return ""
    more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
    return _described(changed[0], before, now) + more


def _values(path: str, settings: PipelineSettings) -> Iterator[tuple[str, Any]]:
    data: Any = reduce(getattr, path.split("."), settings)
    pydantic = isinstance(data, Settings)
    plain = data.model_dump(mode="json") if pydantic else msgspec.to_builtins(data)
    yield from _leaves(path, plain)


def _described(name: str, before: Mapping[str, str], now: Mapping[str, str]) -> str:
    if name not in before:
        return f"{name} is new"
    if name not in now:
        return f"{name} is gone"
    short = all(len(value[name]) <= 20 for value in (before, now))  # noqa: PLR2004 - fits a line
    return f"{name} is {now[name]}, was {before[name]}" if short else f"{name} changed"


def _leaves(prefix: str, data: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any JSON
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _leaves(f"{prefix}.{key}", value)
    else:
        yield prefix, data


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
