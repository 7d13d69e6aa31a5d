# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The data as pictures
#
# All flights that left New York in 2013, from the silver tables. A flight is
# *late* when it arrives 15 minutes late or more; cancelled and diverted flights have no arrival and
# are left out of these shares.

# %%
from pyspark.sql import functions as F

from pipelines.explore import delays, pictures
from pipelines.spark.session import table

flights = table("silver_flights").persist()
weather = table("silver_weather")
airports = table("silver_airports")
airlines = table("silver_airlines")
flights.groupBy("status").count().orderBy(F.desc("count")).toPandas()

# %% [markdown]
# ## Delays by hour
#
# Delays build up over the day: an aircraft that is late stays late.

# %%
by_hour = delays.late_share_by(flights, delays.local_hour())
pictures.late_line(by_hour, title="The later in the day, the later", axis="scheduled hour, local")

# %% [markdown]
# ## Delays by day of the year
#
# Summer storms and the days before Christmas; a single bad day reaches far above its neighbours.

# %%
by_day = delays.late_share_by(flights, F.dayofyear("flight_date"))
pictures.late_line(by_day, title="Bad days come in clusters", axis="day of 2013")

# %% [markdown]
# ## Delays by airport

# %%
by_origin = delays.late_share_by(flights, F.col("origin")).orderBy(F.desc("late_share"))
pictures.bars(by_origin, "group", "late_share", title="Late arrivals by origin", percent=True)

# %%
by_destination = delays.late_share_by(flights, F.col("destination")).where("arrivals >= 1000")
worst = by_destination.orderBy(F.desc("late_share")).limit(15)
pictures.bars(
    worst, "group", "late_share", title="The 15 latest of the large destinations", percent=True
)

# %% [markdown]
# ## Delays by carrier

# %%
named = flights.join(F.broadcast(airlines.select("carrier", "name")), on="carrier", how="left")
by_carrier = delays.late_share_by(named, F.col("name")).orderBy(F.desc("late_share"))
pictures.bars(by_carrier, "group", "late_share", title="Late arrivals by carrier", percent=True)

# %% [markdown]
# ## Delays by weather
#
# The weather at the origin in the hour of departure. This is analysis: two hours before the
# flight the service knows only the last report.

# %%
in_weather = delays.with_weather(flights, weather).persist()
by_wind = delays.late_share_by(in_weather, delays.bands("wind_speed_mph", width=5, most=35))
pictures.late_line(
    by_wind, title="Wind", axis="wind speed at the origin, mph (35 and more together)"
)

# %%
by_visibility = delays.late_share_by(in_weather, delays.bands("visibility_mi", width=1, most=10))
pictures.late_line(by_visibility, title="Visibility", axis="visibility at the origin, miles")

# %%
by_rain = delays.late_share_by(in_weather, delays.bands("precipitation_in", width=0.05, most=0.4))
pictures.late_line(
    by_rain, title="Rain", axis="precipitation in the hour, inches (0.4 and more together)"
)

# %% [markdown]
# ## Where they go

# %%
pictures.route_map(delays.routes(flights, airports), title="Routes from New York")

# %% [markdown]
# ## What is missing
#
# Missing departures are cancellations; the cancellations of February are a blizzard. The tail
# number is missing for some flights that never left. Gusts are observed only when there are some.

# %%
pictures.missing_map(
    delays.missing_by_month(
        flights,
        "scheduled_departure_at",
        {
            "departed_at": "departure",
            "arrived_at": "arrival",
            "air_time_min": "air time",
            "tail_number": "tail number",
        },
    ),
    title="Missing in flights",
)

# %%
pictures.missing_map(
    delays.missing_by_month(
        weather,
        "observed_at",
        {
            "wind_speed_mph": "wind speed",
            "wind_gust_mph": "gust",
            "pressure_hpa": "pressure",
            "visibility_mi": "visibility",
            "precipitation_in": "precipitation",
        },
    ),
    title="Missing in weather",
)

# %%
table("quarantine").select("source", "rule", "reason").toPandas()
