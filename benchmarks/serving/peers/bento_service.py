"""BentoML on the same pickled pipeline, one worker, one row a request."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import bentoml
import joblib
import pandas as pd


@bentoml.service(workers=1, traffic={"timeout": 30})
class Flights:
    """The model as a service."""

    def __init__(self) -> None:
        folder = Path(os.environ["PEER_MODEL"])
        self.model = joblib.load(folder / "model.joblib")
        features = json.loads((folder / "features.json").read_text())
        self.numbers = [name for name, kind in features.items() if kind == "number"]

    @bentoml.api
    def predict(self, flight: dict[str, Any]) -> dict[str, float]:
        """Return the probability of a late arrival."""
        row = pd.DataFrame([flight]).astype(dict.fromkeys(self.numbers, float))
        return {"probability": float(self.model.predict_proba(row)[0, 1])}
