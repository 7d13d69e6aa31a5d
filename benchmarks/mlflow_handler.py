"""The peer of the cold start: the same model as MLflow stores it, behind a minimal handler.

It receives computed features: no validation, no look-up, no history.
"""

from __future__ import annotations

import functools
import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel


@functools.cache
def _model() -> PyFuncModel:
    import mlflow.pyfunc  # noqa: PLC0415 - part of what is measured

    model: PyFuncModel = mlflow.pyfunc.load_model(os.environ["MODEL"])
    return model


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Score the rows in the event's body."""
    import pandas as pd  # noqa: PLC0415 - part of what is measured

    body = json.loads(event["body"])
    rows = pd.DataFrame(body["data"], columns=body["columns"])
    rows = rows.astype({name: "float64" for name in rows if name not in body["texts"]})
    found: Any = _model().predict(rows)
    return {"statusCode": 200, "body": json.dumps(found[:, 1].tolist())}
