"""MLServer on the same pickled pipeline: as its scikit-learn runtime, for frames of mixed types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, PandasCodec
from mlserver.types import InferenceRequest, InferenceResponse

if TYPE_CHECKING:
    import pandas as pd


class Flights(MLModel):
    """The model as a runtime."""

    async def load(self) -> bool:
        """Read the pipeline."""
        folder = Path(self.settings.parameters.uri).parent
        self.model = joblib.load(folder / "model.joblib")
        features = json.loads((folder / "features.json").read_text())
        self.numbers = [name for name, kind in features.items() if kind == "number"]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the probability of a late arrival."""
        frame: pd.DataFrame = self.decode_request(payload, default_codec=PandasCodec)
        frame = frame.astype(dict.fromkeys(self.numbers, float))
        probability = self.model.predict_proba(frame)[:, 1]
        output = NumpyCodec.encode_output("probability", probability)
        return InferenceResponse(model_name=self.name, outputs=[output])
