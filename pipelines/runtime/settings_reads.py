"""Records which settings a stage reads, and compares them with those that it declares.

A stage is skipped when nothing that decides its result has changed. A setting that it reads and
does not declare would be missed, so the settings object of a stage records each key that is read.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from ontime_base.configuration import Settings
from pipelines.stages import MACHINE_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipelines.stages import Stage

SettingsT = TypeVar("SettingsT", bound=Settings)
_STATE = ("__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")


class UndeclaredSettingError(TypeError):
    """A stage read a setting that its declaration does not name: an error of the code."""


def undeclared_settings(stage: Stage, reads: Iterable[str]) -> list[str]:
    """Return the settings that were read and that the stage does not declare, in order.

    Args:
        stage: Its declaration.
        reads: Dotted keys of the configuration that were read.
    """
    known = (*stage.settings, *stage.places, *stage.other_settings, *MACHINE_SETTINGS)
    return sorted(key for key in reads if not any(_is_in(key, name) for name in known))


def unread_settings(stage: Stage, reads: Iterable[str]) -> list[str]:
    """Return the declared settings of which nothing was read, in order."""
    keys = list(reads)
    names = (*stage.settings, *stage.places, *stage.other_settings)
    return sorted(name for name in names if not any(_is_in(key, name) for key in keys))


def recorded(settings: SettingsT, reads: set[str], prefix: str = "") -> SettingsT:
    """Return settings with the same values that add every key that is read to `reads`.

    They are of a subclass of their type (a section that is a struct: of a type that stands for it),
    compare equal to the original, and are pickled as it. Dumping a section reads all of it.

    Args:
        settings: The settings, with all their sections.
        reads: Where the dotted keys are added.
        prefix: The key of this section, with a dot behind it; empty at the top.
    """
    copy: SettingsT = object.__new__(_recording_type(type(settings)))
    values = {
        name: _section(value, reads, f"{prefix}{name}.")
        for name, value in settings.__dict__.items()
    }
    object.__setattr__(copy, "__dict__", values)
    for name in _STATE:
        object.__setattr__(copy, name, getattr(settings, name))
    object.__setattr__(copy, "_recorder", (settings, reads, prefix))
    return copy


def _section(value: Any, reads: set[str], prefix: str) -> Any:  # noqa: ANN401 - a section or a value
    if isinstance(value, Settings):
        return recorded(value, reads, prefix)
    return _RecordingStruct(value, reads, prefix) if isinstance(value, Struct) else value


def _is_in(key: str, name: str) -> bool:
    return key == name or key.startswith(f"{name}.")


def _leaves(settings: Settings | Struct, prefix: str) -> Iterator[str]:
    names = settings.__struct_fields__ if isinstance(settings, Struct) else tuple(settings.__dict__)
    for name in names:
        value = getattr(settings, name)
        if isinstance(value, Settings | Struct):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


class _Recording:
    """Mixin before a settings type: records the keys that are read of an instance."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 - any setting
        value = super().__getattribute__(name)
        if name.startswith("_"):
            return value
        original, reads, prefix = object.__getattribute__(self, "_recorder")
        if name in {"model_dump", "model_dump_json"}:
            reads.update(_leaves(original, prefix))
            return getattr(original, name)
        if name in type(original).model_fields and not isinstance(
            value, Settings | _RecordingStruct
        ):
            reads.add(f"{prefix}{name}")
        return value

    def model_copy(self, **changes: Any) -> Any:  # noqa: ANN401 - settings of the same type
        """Return changed settings that record as these do."""
        original, reads, prefix = object.__getattribute__(self, "_recorder")
        return recorded(original.model_copy(**changes), reads, prefix)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for name in type(_original(self)).model_fields:
            yield name, getattr(self, name)

    def __eq__(self, other: object) -> bool:
        return bool(_original(self) == _original(other))

    def __hash__(self) -> int:
        return hash(_original(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return _same, (_original(self),)


class _RecordingStruct:
    """Proxy of a struct of settings, whose type cannot be extended: records the keys read."""

    def __init__(self, struct: Struct, reads: set[str], prefix: str) -> None:
        self._recorder = (struct, reads, prefix)
        self._sections = {
            name: _RecordingStruct(value, reads, f"{prefix}{name}.")
            for name in struct.__struct_fields__
            if isinstance(value := getattr(struct, name), Struct)
        }

    @property  # type: ignore[misc]  # read only: `isinstance` reads it
    def __class__(self) -> type[Any]:
        return type(self._recorder[0])

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any setting
        struct, reads, prefix = self._recorder
        if name in self._sections:
            return self._sections[name]
        value = getattr(struct, name)
        if name in struct.__struct_fields__:
            reads.add(f"{prefix}{name}")
        return value

    def __eq__(self, other: object) -> bool:
        return bool(self._recorder[0] == _original(other))

    def __hash__(self) -> int:
        return hash(self._recorder[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return _same, (self._recorder[0],)


@cache
def _recording_type(base: type[Settings]) -> Any:  # noqa: ANN401 - a subclass of the settings' type
    metaclass: Any = type(base)
    return metaclass(base.__name__, (_Recording, base), {"__slots__": ("_recorder",)})


def _original(value: Any) -> Any:  # noqa: ANN401 - anything that settings are compared with
    try:
        return object.__getattribute__(value, "_recorder")[0]
    except AttributeError:
        return value


def _same(settings: Any) -> Any:  # noqa: ANN401 - any section
    return settings
