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
# # What served when, and why
#
# Every decision about model versions is an entry of the ledger, chained by checksums. Reading it
# verifies the chain: a changed, lost or inserted entry stops here.

# %%
from pipelines.explore import release_history

ledger = release_history.ledger()
release_history.entries(ledger)

# %% [markdown]
# ## Releases
#
# What answered from when on.

# %%
release_history.releases(ledger)

# %% [markdown]
# ## At an instant

# %%
print(release_history.served_at(ledger, "2013-01-01T00:00:00.000Z"))
print(release_history.served_at(ledger, ledger.entries[-1].at))

# %% [markdown]
# ## The verdicts of the gates

# %%
release_history.gates(ledger)

# %% [markdown]
# ## What was answered
#
# The newest predictions of the service on this home, by the version that gave them; none before the
# first `make serve`.

# %%
answered = release_history.predictions(most=1000)
answered.groupby("version").agg(
    answers=("flight_id", "size"),
    mean_probability=("probability", "mean"),
    first=("requested_at", "min"),
    last=("requested_at", "max"),
)

# %%
answered.head(10)
