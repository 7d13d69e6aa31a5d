"""A fitted model, whatever its kind: a scikit-learn pipeline of columns and an estimator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from training.environment import wait_without_spinning
from training.models.columns import encoder_of
from training.models.exchanged_columns import exchanged_log_odds
from training.models.graph_forms import Forest
from training.models.interface import AnyKind, Examples, IterativeParameters
from training.models.onnx_export import to_onnx

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    from sklearn.base import ClassifierMixin
    from sklearn.pipeline import Pipeline

    from features.declare.declarations import Feature
    from training.data.samples import Sample
    from training.models.exchanged_columns import Exchange
    from training.models.interface import Matrix, Probabilities
    from training.models.model_settings import ModelSettings

COLUMNS: Final = "columns"


@dataclass(frozen=True, slots=True, eq=False)
class FittedModel:
    """A fitted model.

    Attributes:
        kind: Its kind.
        pipeline: Columns, then the kind's estimator: what MLflow logs.
    """

    kind: AnyKind
    pipeline: Pipeline

    @property
    def inputs(self) -> list[str]:
        """Names of its inputs, in order."""
        names: list[str] = self.pipeline.feature_names_in_.tolist()
        return names

    @property
    def columns(self) -> list[str]:
        """Names of the columns of an encoded matrix, in order."""
        return [str(name) for name in self.pipeline[0].get_feature_names_out()]

    @property
    def estimator(self) -> ClassifierMixin:
        """The estimator that its kind fitted."""
        return self.pipeline[-1]

    @property
    def iterations(self) -> int:
        """How many iterations it has; 0 if it has none."""
        return self.kind.iterations(self.estimator)

    def encoded(self, features: pd.DataFrame) -> Matrix:
        """Return rows as its estimator takes them."""
        matrix: Matrix = self.pipeline[0].transform(features[self.inputs])
        return matrix

    def probabilities(self, features: pd.DataFrame) -> Probabilities:
        """Return the probability of a late arrival of each row, 0 to 1.

        Args:
            features: The model's inputs by name; other columns are ignored.
        """
        return self.predict(self.encoded(features))

    def predict(self, matrix: Matrix) -> Probabilities:
        """Return the probabilities of encoded rows."""
        return self.kind.predict(self.estimator, matrix)

    def probabilities_by_iteration(self, features: pd.DataFrame) -> Iterator[Probabilities]:
        """Yield the probabilities after each iteration; once if it has no iterations."""
        return self.kind.predict_by_iteration(self.estimator, self.encoded(features))

    def probabilities_exchanged(
        self, matrix: Matrix, exchanges: Sequence[Exchange]
    ) -> Iterator[Probabilities]:
        """Yield the probabilities of encoded rows after each exchange of columns between rows.

        The same as `predict` of the changed matrix; for trees in a fraction of the time.
        """
        form = self.kind.graph_form(self.estimator)
        if isinstance(form, Forest):
            yield from _probability_of(exchanged_log_odds(form, matrix, exchanges))
            return
        for exchange in exchanges:
            changed = matrix.copy()
            for column in exchange.columns:
                changed[:, column] = matrix[exchange.rows, column]
            yield self.predict(changed)

    def to_onnx(self) -> bytes:
        """Return it as ONNX bytes; equal models give equal bytes."""
        return to_onnx(self.pipeline[0], self.kind.graph_form(self.estimator))


def _probability_of(log_odds: Probabilities) -> Probabilities:
    from scipy.special import expit  # noqa: PLC0415 - after wait_without_spinning

    probability: Probabilities = expit(log_odds)
    return probability


def fit_model(
    train: Sample, validate: Sample, features: Sequence[Feature], settings: ModelSettings
) -> FittedModel:
    """Return the model fitted to the training part; equal inputs give equal bits.

    Args:
        train: The samples it is fitted to.
        validate: Where it may stop early; read only with `patience`.
        features: Its inputs, a selection of the samples' features, in order.
        settings: Its kind and parameters.
    """
    wait_without_spinning()
    from sklearn.pipeline import Pipeline  # noqa: PLC0415 - only after wait_without_spinning

    kind, parameters = settings.selected, settings.parameters
    columns = encoder_of(train, features)
    names = [feature.name for feature in features]
    examples = Examples(columns.fit_transform(train.features[names]), train.label)
    later = None
    if isinstance(parameters, IterativeParameters) and parameters.patience is not None:
        later = Examples(columns.transform(validate.features[names]), validate.label)
    estimator = kind.fit(examples, later, parameters)
    return FittedModel(kind, Pipeline([(COLUMNS, columns), (kind.step, estimator)]))
