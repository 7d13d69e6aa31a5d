"""The interface of a kind of model: parameters, fit, probabilities, search space and export."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ontime_base.configuration import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sklearn.base import ClassifierMixin

    from training.models.graph_forms import GraphForm

Matrix: TypeAlias = NDArray[np.float64]
"""Encoded flights, one row each: numeric features, then ranks of categories; NaN is missing."""
Probabilities: TypeAlias = NDArray[np.float64]
Predict: TypeAlias = Callable[[Matrix], Probabilities]
Report: TypeAlias = Callable[[int, Predict], None]
"""Receives the iterations fitted so far and the model of them; may raise to stop the fit."""
NO_ITERATIONS: Final = 0


class ModelParameters(Settings):
    """Base of the parameters of a kind of model; every field has a default.

    Attributes:
        seed: Seed of everything random.
    """

    seed: int = Field(default=0, ge=0)

    def limited_to(self, iterations: int) -> Self:  # noqa: ARG002 - for kinds that have iterations
        """Return the parameters of a fit of that many iterations without early stopping."""
        return self


class IterativeParameters(ModelParameters):
    """Base of the parameters of a kind that is fitted in iterations.

    Attributes:
        iterations: Iterations; with `patience`, the most there can be.
        patience: Stop after so many iterations without a lower log loss on the validate part;
            null: fit all of them.
    """

    iterations: int = Field(default=200, ge=1)
    patience: int | None = Field(default=None, ge=1)

    def limited_to(self, iterations: int) -> Self:
        """Return the parameters of a fit of that many iterations without early stopping."""
        return self.model_copy(update={"iterations": iterations, "patience": None})


@dataclass(frozen=True, slots=True)
class FloatRange:
    """Numbers that a sweep tries for one parameter."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True, slots=True)
class IntegerRange:
    """Whole numbers that a sweep tries for one parameter."""

    low: int
    high: int
    log: bool = True


SearchSpace: TypeAlias = "Mapping[str, FloatRange | IntegerRange]"


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Encoded flights with their labels.

    Attributes:
        matrix: The flights.
        label: 1 for a late arrival, else 0.
    """

    matrix: Matrix
    label: NDArray[np.int8]


P = TypeVar("P", bound=ModelParameters)


class ModelKind(ABC, Generic[P]):
    """A kind of model. One instance, named `KIND`, in a module of `training/models/kinds/`.

    Attributes:
        name: Its name in `training.model.kind`.
        step: Name of its estimator in the scikit-learn pipeline.
        parameters: Model of its parameters: the section `training.model.<name>`.
        search_space: What a sweep tries, by the name of the parameter.
        libraries: Packages that a logged model needs besides scikit-learn.
        trusted_types: Types of its estimator that skops does not know and may load.
    """

    name: ClassVar[str]
    step: ClassVar[str] = "estimator"
    parameters: type[P]
    search_space: ClassVar[SearchSpace]
    libraries: ClassVar[tuple[str, ...]] = ()
    trusted_types: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def fit(self, train: Examples, validate: Examples | None, parameters: P) -> ClassifierMixin:
        """Return a fitted classifier with `predict_proba`; equal inputs give equal bits.

        Args:
            train: What it learns from.
            validate: Where it may stop early; None if the parameters do not ask for that.
            parameters: Its parameters.
        """

    @abstractmethod
    def graph_form(self, estimator: ClassifierMixin) -> GraphForm:
        """Return the fitted model as trees or as a weighted sum, for export and explanation."""

    @abstractmethod
    def describe(self, parameters: P) -> str:
        """Return one sentence for the model card: how the features become a probability."""

    def predict(self, estimator: ClassifierMixin, matrix: Matrix) -> Probabilities:
        """Return the probability of a late arrival of each row, 0 to 1."""
        found: Probabilities = estimator.predict_proba(matrix)[:, 1]
        return found

    def iterations(self, estimator: ClassifierMixin) -> int:  # noqa: ARG002 - for kinds that have iterations
        """Return how many iterations were fitted; `NO_ITERATIONS` for a kind without."""
        return NO_ITERATIONS

    def predict_by_iteration(
        self,
        estimator: ClassifierMixin,
        matrix: Matrix,
    ) -> Iterator[Probabilities]:
        """Yield the probabilities after each iteration; for a kind without, those of the model."""
        yield self.predict(estimator, matrix)

    def fit_in_steps(
        self,
        train: Examples,
        parameters: P,
        every: int,  # noqa: ARG002 - for kinds that have iterations
        report: Report,
    ) -> None:
        """Fit, and report the model after every so many iterations; once for a kind without.

        Args:
            train: What it learns from.
            parameters: Its parameters.
            every: Iterations of a step.
            report: Receives each step; raises to stop.
        """
        estimator = self.fit(train, None, parameters)
        report(NO_ITERATIONS, lambda matrix: self.predict(estimator, matrix))


AnyKind: TypeAlias = ModelKind[Any]
