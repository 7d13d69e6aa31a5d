"""Examples of requests and responses for the API documentation."""

from __future__ import annotations

from typing import Any, Final

EXAMPLE_REQUEST: Final = {
    "carrier": "UA",
    "flight_number": 389,
    "origin": "JFK",
    "destination": "SFO",
    "scheduled_departure": "2013-12-30T18:30",
    "scheduled_arrival": "2013-12-30T22:21",
    "tail_number": "N510UA",
}
_ID: Final = "0194f2c4-7b6e-7d2a-9c1f-3a5b8e6d7f10"
ANSWER: Final[dict[str, Any]] = {
    "prediction_id": _ID,
    "flight_id": "UA-389-2013123023",
    "probability": 0.4264,
    "late": True,
    "threshold": 0.31,
    "model": {"name": "ontime", "version": "3", "alias": "champion"},
    "prediction_time": "2013-12-30T21:30:00Z",
    "features_as_of": "2013-12-30T21:30:00Z",
    "ages_min": {"flights": 2, "weather": 39},
    "missing": [],
    "requested_at": "2025-02-10T08:30:00.125Z",
    "warnings": [],
}
EXPLAINED: Final = {
    **ANSWER,
    "explanation": {
        "method": "path attribution (Saabas)",
        "base": -1.121,
        "reasons": [
            {
                "feature": "departure_minute",
                "about": "Local time of the scheduled departure.",
                "unit": "min since midnight",
                "value": 1110.0,
                "effect": 0.412,
            }
        ],
        "others": 0.4123,
    },
}
BATCH: Final = {"items": [{"prediction": ANSWER, "problem": None}], "failed": 0}
ACCEPTED: Final = {"id": _ID, "state": "pending", "prediction": None, "problem": None}
DONE: Final = {"id": _ID, "state": "done", "prediction": ANSWER, "problem": None}
_FLIGHT: Final = {
    **{name: EXAMPLE_REQUEST[name] for name in list(EXAMPLE_REQUEST)[:4]},
    "scheduled_departure": "2013-12-30T23:30:00Z",
    "scheduled_arrival": "2013-12-31T06:21:00Z",
    "tail_number": "N510UA",
}
_CHECKSUM: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
MODEL: Final = {
    "name": "ontime",
    "version": "3",
    "alias": "champion",
    "revision": 4,
    "threshold": 0.31,
    "horizon_min": 120,
    "features": ["departure_minute", "origin_temperature"],
    "manifest_sha256": _CHECKSUM,
    "refusal": None,
    "weight": 0.9,
    "card": "/model/card",
    "challenger": {
        "version": "4",
        "weight": 0.1,
        "threshold": 0.33,
        "manifest_sha256": _CHECKSUM,
        "card": "/model/card?alias=challenger",
        "refusal": None,
    },
    "learned": {"from": "2013-01-01T05:00:00Z", "until": "2013-11-01T04:00:00Z"},
    "online": {"from": "2013-12-24T05:00:00Z", "until": "2014-01-01T05:00:00Z"},
}
_PAGE: Final = [{**ANSWER, "flight": _FLIGHT, "features": [625.0, 33.1], "shadow_of": None}]
HISTORY: Final = {
    "items": _PAGE,
    "next": "WzE3MzkxNzYyMDAxMjUsIjAxOTRmMmM0Il0",
    "history": _PAGE,
}
_EVENT_FLIGHT: Final = {"flight_id": "UA-389-2013123023"}
EVENTS: Final[list[dict[str, Any]]] = [
    {"event": "flight_scheduled", **EXAMPLE_REQUEST},
    {"event": "flight_departed", **_EVENT_FLIGHT, "at": "2013-12-30T23:52:00Z"},
    {"event": "flight_arrived", **_EVENT_FLIGHT, "at": "2013-12-31T06:38:00Z", "air_time_min": 352},
    {
        "event": "weather_observed",
        "airport": "JFK",
        "observed_at": "2013-12-30T20:00:00Z",
        "temperature_f": 37.9,
        "wind_speed_mph": 12.7,
    },
]
