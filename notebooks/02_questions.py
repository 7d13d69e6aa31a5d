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
# # Seventeen questions to the flights
#
# Each answer is a function of `pipelines/explore/questions.py`, tested against the source file;
# what the question leaves open is stated with it.

# %%
from pipelines.explore import pictures, questions
from pipelines.spark.session import table

flights = table("silver_flights").persist()
airlines = table("silver_airlines")
weather = table("silver_weather")

# %% [markdown]
# ## 1. How many flights are there?
#
# All that were scheduled, cancelled ones included. Of them so many left, and so many arrived where
# they should.

# %%
answer = questions.total_flights(flights)
answer.toPandas()

# %%
pictures.number(answer, questions.flights_by_month(flights), "flights", title="Flights")

# %% [markdown]
# ## 2. How many were cancelled?
#
# The data has no such column: a flight that has no departure is taken for cancelled. Diverted
# flights left, and are not counted.

# %%
answer = questions.cancelled_flights(flights)
answer.toPandas()

# %%
cancelled = flights.where("status = 'cancelled'")
pictures.number(answer, questions.flights_by_month(cancelled), "flights", title="Cancelled flights")

# %% [markdown]
# ## 3. What is the mean departure delay?
#
# Over the flights that left, in minutes. Early departures count as negative delays; counting them
# as zero would give a higher mean.

# %%
answer = questions.mean_departure_delay(flights)
answer.toPandas()

# %%
pictures.number(
    answer,
    questions.departure_delay_by_month(flights),
    "mean_delay_min",
    title="Mean departure delay, minutes",
)

# %% [markdown]
# ## 4. Which five airports have the most landings?
#
# Landings at the scheduled destination: a diverted flight landed elsewhere, and where is not in the
# data. New York's own airports have none here, for only departures from New York are in the data.

# %%
answer = questions.airports_with_most_landings(flights)
answer.toPandas()

# %%
pictures.bars(answer, "destination", "landings", title="Landings by destination")

# %% [markdown]
# ## 5. Which route is the most frequent?
#
# By scheduled flights from an origin to a destination; not airport pairs in both directions, for
# the way back is not in the data.

# %%
answer = questions.most_frequent_route(flights)
answer.toPandas()

# %%
pictures.bars(
    questions.busiest_routes(flights),
    ["origin", "destination"],
    "flights",
    title="The busiest routes",
)

# %% [markdown]
# ## 6. Which five carriers have the highest mean arrival delay?
#
# Over the flights that arrived, early ones negative. Small carriers count like large ones: the
# number of arrivals is beside the mean.

# %%
answer = questions.carriers_with_highest_arrival_delay(flights, airlines)
answer.toPandas()

# %%
pictures.bars(answer, "name", "mean_delay_min", title="Mean arrival delay, minutes")

# %% [markdown]
# ## 7. Which weekday has the most flights?
#
# By the local day of the scheduled departure. The year 2013 has 53 Tuesdays and 52 of every other
# weekday.

# %%
answer = questions.weekday_with_most_flights(flights)
answer.toPandas()

# %%
pictures.bars(answer, "weekday", "flights", title="Flights by weekday")

# %% [markdown]
# ## 8. Which share of flights was delayed by over 30 minutes at departure, by month?
#
# Of the flights that left; a cancelled flight is neither delayed nor on time. Over 30, not 30
# itself.

# %%
answer = questions.share_of_late_departures_by_month(flights)
answer.toPandas()

# %%
pictures.columns(answer, "month", "share", title="Departures over 30 minutes late", percent=True)

# %% [markdown]
# ## 9. Which origin has the most flights to Seattle?
#
# Seattle is SEA; scheduled flights.

# %%
answer = questions.origins_by_flights_to(flights, destination="SEA")
answer.toPandas()

# %%
pictures.bars(answer, "origin", "flights", title="Flights to Seattle")

# %% [markdown]
# ## 10. What is the mean departure delay by weekday?
#
# As above: flights that left, early ones negative, the local day of the scheduled departure.

# %%
answer = questions.departure_delay_by_weekday(flights)
answer.toPandas()

# %%
pictures.columns(
    answer, "weekday", "mean_delay_min", title="Mean departure delay by weekday, minutes"
)

# %% [markdown]
# ## 11. Which route has the longest mean air time?
#
# Air time is wheels up to wheels down; over the flights that arrived.

# %%
answer = questions.route_with_longest_air_time(flights)
answer.toPandas()

# %%
pictures.bars(
    questions.longest_routes(flights),
    ["origin", "destination"],
    "mean_air_time_min",
    title="Mean air time, minutes",
)

# %% [markdown]
# ## 12. What is the most common destination of each origin?
#
# By scheduled flights.

# %%
answer = questions.most_common_destinations(flights)
answer.toPandas()

# %%
pictures.bars(
    answer, ["origin", "destination"], "flights", title="The most common destination of each origin"
)

# %% [markdown]
# ## 13. Which three routes have the largest variation of air time?
#
# By the standard deviation in minutes, of routes flown at least twice. Long routes vary more:
# relative to the mean (the coefficient beside it) others would come first.

# %%
answer = questions.routes_with_largest_air_time_variation(flights)
answer.toPandas()

# %%
pictures.bars(
    answer,
    ["origin", "destination"],
    "deviation_min",
    title="Standard deviation of air time, minutes",
)

# %% [markdown]
# ## 14. What is the mean arrival delay when the departure delay exceeds one hour?
#
# Of the flights that left over 60 minutes late and arrived.

# %%
answer = questions.arrival_delay_after_late_departure(flights)
answer.toPandas()

# %%
late = flights.where("departure_delay_min > 60")
pictures.number(
    answer,
    questions.arrival_delay_by_month(late),
    "mean_delay_min",
    title="Mean arrival delay, minutes",
)

# %% [markdown]
# ## 15. How many flights does a mean day have, by month?
#
# Scheduled flights, over the days that have any: all 365 have.

# %%
answer = questions.mean_daily_flights_by_month(flights)
answer.toPandas()

# %%
pictures.columns(answer, "month", "mean_daily_flights", title="Flights on a mean day")

# %% [markdown]
# ## 16. Which three routes have the most arrivals over 30 minutes late?
#
# A count, so busy routes come first; a share would name others.

# %%
answer = questions.routes_with_most_late_arrivals(flights)
answer.toPandas()

# %%
pictures.bars(
    answer, ["origin", "destination"], "late_arrivals", title="Arrivals over 30 minutes late"
)

# %% [markdown]
# ## 17. What is the main destination of each origin, by share?
#
# The share of the origin's scheduled flights. Ties would be broken by name; there are none.

# %%
answer = questions.main_destination_shares(flights)
answer.toPandas()

# %%
pictures.bars(
    answer, ["origin", "destination"], "share", title="Share of the origin's flights", percent=True
)

# %% [markdown]
# ## And: which five arrivals were the latest, and what was the wind?
#
# The wind in mph at both ends, in the hour of departure and in the hour of arrival. Weather is
# known only at the three airports of New York, so at these destinations there is none.

# %%
answer = questions.worst_arrival_delays(flights, weather)
answer.toPandas()

# %%
pictures.bars(
    answer, ["flight_id", "destination"], "arrival_delay_min", title="The latest arrivals, minutes"
)
