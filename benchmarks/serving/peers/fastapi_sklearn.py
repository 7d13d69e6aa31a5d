"""The peer that runs in many places today: FastAPI, pydantic, the pickled scikit-learn pipeline."""

from __future__ import annotations

import json
import os
from pathlib import Path

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import create_model

_FOLDER = Path(os.environ["PEER_MODEL"])
_MODEL = joblib.load(_FOLDER / "model.joblib")
_FEATURES = json.loads((_FOLDER / "features.json").read_text())
_KINDS = {"number": float | None, "text": str | None}
Flight = create_model("Flight", **{name: (_KINDS[kind], None) for name, kind in _FEATURES.items()})

app = FastAPI()


@app.post("/predict")
def predict(flight: Flight) -> dict[str, float]:  # type: ignore[valid-type]  # made just above
    """Return the probability of a late arrival."""
    row = pd.DataFrame([flight.model_dump()]).astype(  # type: ignore[attr-defined]  # see above
        {name: float for name, kind in _FEATURES.items() if kind == "number"}
    )
    return {"probability": float(_MODEL.predict_proba(row)[0, 1])}
