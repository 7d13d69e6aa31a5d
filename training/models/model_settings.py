"""The sections `training.model` and `training.naive`: a kind, and the parameters of each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import (
    GetPydanticSchema,
    SerializerFunctionWrapHandler,
    create_model,
    field_validator,
    model_serializer,
)

from ontime_base.configuration import Settings
from training.models.kinds import DEFAULT_KIND, KINDS

if TYPE_CHECKING:
    from training.models.interface import AnyKind, ModelParameters


class ModelSettings(Settings):
    """The kind of model to fit, and its parameters.

    In conf/ each kind has a section of its own, checked by its own model of parameters. Only the
    section of the chosen kind decides a result, so only that one is dumped.

    Attributes:
        kind: Name of a module in `training/models/kinds/`.
    """

    kind: str = DEFAULT_KIND

    @field_validator("kind")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in KINDS:
            raise ValueError(f"there is no such kind of model: use one of {', '.join(KINDS)}")
        return name

    @model_serializer(mode="wrap")
    def _only_chosen(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if name in {"kind", self.kind}}

    @property
    def selected(self) -> AnyKind:
        """The chosen kind."""
        return KINDS[self.kind]

    @property
    def parameters(self) -> ModelParameters:
        """The parameters of the chosen kind."""
        found: ModelParameters = getattr(self, self.kind)
        return found

    def with_parameters(self, parameters: ModelParameters) -> Self:
        """Return the same kind with other parameters."""
        return self.model_copy(update={self.kind: parameters})


_SECTIONS: Any = {name: (kind.parameters, kind.parameters()) for name, kind in KINDS.items()}
_WithKinds = create_model("ModelSettings", __base__=ModelSettings, __module__=__name__, **_SECTIONS)
ModelSection = Annotated[ModelSettings, GetPydanticSchema(lambda _, handler: handler(_WithKinds))]
"""Type of a field that holds a `ModelSettings` with a section for every kind."""
