"""Logistic regression on standardized columns: the example of a kind in one file."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field

from training.models.graph_forms import WeightedSum
from training.models.interface import Examples, FloatRange, ModelKind, ModelParameters, SearchSpace

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin


class LogisticRegressionParameters(ModelParameters):
    """Parameters of the regression.

    Attributes:
        inverse_l2: Inverse of the strength of the L2 regularization.
        steps: Most steps of the solver.
    """

    inverse_l2: float = Field(default=1.0, gt=0)
    steps: int = Field(default=1000, ge=1)


class LogisticRegressionKind(ModelKind[LogisticRegressionParameters]):
    """A linear model; a missing value counts as the mean of its column."""

    name = "logistic_regression"
    parameters = LogisticRegressionParameters
    search_space: ClassVar[SearchSpace] = {"inverse_l2": FloatRange(1e-3, 1e2, log=True)}
    trusted_types = ("numpy.dtype",)  # of the imputer

    def fit(
        self,
        train: Examples,
        validate: Examples | None,  # noqa: ARG002 - it does not stop early
        parameters: LogisticRegressionParameters,
    ) -> ClassifierMixin:
        """Return the fitted imputer, scaler and regression."""
        from sklearn.impute import SimpleImputer  # noqa: PLC0415 - after wait_without_spinning
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - as above
        from sklearn.pipeline import make_pipeline  # noqa: PLC0415 - as above
        from sklearn.preprocessing import StandardScaler  # noqa: PLC0415 - as above

        regression = LogisticRegression(
            C=parameters.inverse_l2, max_iter=parameters.steps, random_state=parameters.seed
        )
        imputer = SimpleImputer(keep_empty_features=True)
        return make_pipeline(imputer, StandardScaler(), regression).fit(train.matrix, train.label)

    def graph_form(self, estimator: ClassifierMixin) -> WeightedSum:
        """Return the regression as weights of the distances from the means."""
        _, scaler, regression = (step for _, step in estimator.steps)
        weights = regression.coef_[0] / scaler.scale_
        return WeightedSum(
            float(regression.intercept_[0]), tuple(scaler.mean_.tolist()), tuple(weights.tolist())
        )

    def describe(self, parameters: LogisticRegressionParameters) -> str:
        """Return a sentence on the regression."""
        return (
            f"A logistic regression (C {parameters.inverse_l2:g}) adds up weighted features; a "
            "missing value counts as the mean."
        )


KIND: Final = LogisticRegressionKind()
