"""The scorer of onnxruntime: feature values in, probabilities out, by the exported model alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import onnxruntime

from serving.models.scorer import ScorerError, no_probabilities

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from features.contract.feature_contract import Contract
    from serving.models.scorer import FeatureValue

NUMERIC_INPUT: Final = "numeric"
CATEGORICAL_INPUT: Final = "categorical"
PROBABILITY_OUTPUT: Final = "probability"
_ERRORS_ONLY: Final = 3


class OnnxScorer:
    """Scores rows of feature values with one exported model, on the calling thread alone.

    Args:
        model: Bytes of the ONNX model: inputs `numeric` (double, NaN is missing) and `categorical`
            (string, empty is missing), output `probability`.
        contract: Names, types and order of the features.

    Raises:
        ScorerError: The bytes are no model, or its inputs and output are not those above.
    """

    def __init__(self, model: bytes, contract: Contract) -> None:
        features = list(enumerate(contract.features))
        self._strings = [i for i, feature in features if feature.dtype == "string"]
        self._numbers = [i for i, feature in features if feature.dtype != "string"]
        self._session = _session(model)
        expected = {NUMERIC_INPUT: len(self._numbers), CATEGORICAL_INPUT: len(self._strings)}
        expected = {name: width for name, width in expected.items() if width}
        _require_signature(self._session, expected)

    def score(self, rows: Sequence[Sequence[FeatureValue]]) -> list[float]:
        """Return the probability of a late arrival, 0 to 1, of each row, in one vectorized call.

        Args:
            rows: Feature values in the order of the contract; None or NaN is missing.

        Raises:
            ScorerError: The model gave something that is no probability.
        """
        if not rows:
            return []
        inputs: dict[str, object] = {}
        if self._numbers:
            # numpy makes a None of floats NaN by itself, and faster than a step for each value.
            numbers = [[row[i] for i in self._numbers] for row in rows]
            inputs[NUMERIC_INPUT] = np.array(numbers, dtype=np.float64)
        if self._strings:
            strings = [[row[i] or "" for i in self._strings] for row in rows]
            inputs[CATEGORICAL_INPUT] = np.array(strings, dtype=np.object_)
        probabilities: list[float] = self._run(inputs).tolist()
        if len(probabilities) != len(rows) or not all(0 <= p <= 1 for p in probabilities):
            raise no_probabilities(probabilities, len(rows))
        return probabilities

    def score_arrays(
        self, numbers: NDArray[np.float64], texts: NDArray[np.object_]
    ) -> NDArray[np.float64]:
        """Return the probabilities of many rows: `score`'s, to the last unit of their last place.

        Args:
            numbers: A row of numeric features per row, in the contract's order; NaN is missing.
            texts: Its text features, likewise; "" is missing.

        Raises:
            ScorerError: The model gave something that is no probability.
        """
        if not len(numbers):
            return np.empty(0)
        inputs = {NUMERIC_INPUT: numbers, CATEGORICAL_INPUT: texts}
        found = self._run({name: each for name, each in inputs.items() if each.shape[1]})
        if len(found) != len(numbers) or not ((found >= 0) & (found <= 1)).all():
            raise no_probabilities(found.tolist(), len(numbers))
        return found

    def _run(self, inputs: Mapping[str, object]) -> NDArray[np.float64]:
        try:
            (output,) = self._session.run([PROBABILITY_OUTPUT], inputs)
        except Exception as error:
            raise ScorerError(
                f"The model cannot be run: {error}. Export the version again."
            ) from error
        probabilities: NDArray[np.float64] = output.reshape(-1)
        return probabilities


def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ScorerError(
            f"The model cannot be loaded: {error}. Export the version again."
        ) from error


def _require_signature(session: onnxruntime.InferenceSession, expected: dict[str, int]) -> None:
    found = {node.name: node.shape[-1] for node in session.get_inputs()}
    outputs = [node.name for node in session.get_outputs()]
    if found != expected or PROBABILITY_OUTPUT not in outputs:
        raise ScorerError(
            f"The model takes {found} and gives {outputs}, where its contract asks for {expected} "
            f"and {PROBABILITY_OUTPUT}: export the version again."
        )
