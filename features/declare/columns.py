"""The names of table columns, defined in one place."""

from typing import Final

# Identity of a flight and its schedule, known long before departure.
FLIGHT_ID: Final = "flight_id"
FLIGHT_DATE: Final = "flight_date"
CARRIER: Final = "carrier"
FLIGHT_NUMBER: Final = "flight_number"
TAIL_NUMBER: Final = "tail_number"
ORIGIN: Final = "origin"
DESTINATION: Final = "destination"
DISTANCE: Final = "distance_mi"
SCHEDULED_DEPARTURE: Final = "scheduled_departure_at"
SCHEDULED_ARRIVAL: Final = "scheduled_arrival_at"
ORIGIN_OFFSET: Final = "origin_utc_offset_min"
DESTINATION_OFFSET: Final = "destination_utc_offset_min"

# What happened: event times, durations in minutes, and the outcome.
DEPARTED: Final = "departed_at"
ARRIVED: Final = "arrived_at"
DEPARTURE_DELAY: Final = "departure_delay_min"
ARRIVAL_DELAY: Final = "arrival_delay_min"
AIR_TIME: Final = "air_time_min"
STATUS: Final = "status"

# Known-at times: when an event became known, as opposed to when it happened.
DEPARTURE_KNOWN: Final = "departure_known_at"
ARRIVAL_KNOWN: Final = "arrival_known_at"
CANCELLATION_KNOWN: Final = "cancellation_known_at"
DIVERSION_KNOWN: Final = "diversion_known_at"

# Weather observations.
AIRPORT: Final = "airport"
OBSERVED: Final = "observed_at"
KNOWN: Final = "known_at"
TEMPERATURE: Final = "temperature_f"
DEW_POINT: Final = "dew_point_f"
HUMIDITY: Final = "humidity_pct"
WIND_DIRECTION: Final = "wind_direction_deg"
WIND_SPEED: Final = "wind_speed_mph"
WIND_GUST: Final = "wind_gust_mph"
PRECIPITATION: Final = "precipitation_in"
PRESSURE: Final = "pressure_hpa"
VISIBILITY: Final = "visibility_mi"

# Lineage of a row: its source file and the time of ingestion.
SOURCE_FILE: Final = "source_file"
SOURCE_CHECKSUM: Final = "source_checksum"
SOURCE_ROW: Final = "source_row"
INGESTED: Final = "ingested_at"
REFUSED: Final = "refused_at"
LINEAGE: Final = (SOURCE_FILE, SOURCE_CHECKSUM, SOURCE_ROW, INGESTED)

# The feature table.
PREDICTION_TIME: Final = "prediction_time"
LABEL: Final = "label"

ARRIVED_STATUS: Final = "arrived"
CANCELLED_STATUS: Final = "cancelled"
DIVERTED_STATUS: Final = "diverted"
