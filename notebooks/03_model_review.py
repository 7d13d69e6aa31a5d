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
# # Review of a model version
#
# Set `VERSION` to the number of any registered version, or to an alias (`champion`, `challenger`).
# The version is tried on November and December, which it has not seen in training; every figure
# has its 95 % confidence interval from bootstrap samples of whole days.

# %%
from pipelines.explore import model_review

VERSION = "champion"
model_review.versions()

# %%
reviewed = model_review.review(VERSION)
print(f"version {reviewed.version}, {reviewed.evaluation.flights:,} flights")
reviewed.figures()

# %% [markdown]
# ## How well it separates late flights from others

# %%
reviewed.plots["roc"]

# %%
reviewed.plots["precision_recall"]

# %%
reviewed.plots["gain"]

# %% [markdown]
# ## Calibration

# %%
reviewed.plots["calibration"]

# %%
reviewed.plots["scores"]

# %% [markdown]
# ## Feature importance
#
# By how much the AUC falls when a feature, or a family of features, is shuffled; and how the model
# got better tree by tree. Drawn when the version was judged.

# %%
reviewed.plots["families"]

# %%
reviewed.plots["importance"]

# %%
reviewed.plots["learning_curve"]

# %% [markdown]
# ## Where it gains least
#
# Slices with at least 500 flights, the smallest gain over the timetable-only model first.

# %%
reviewed.slices().head(15)

# %% [markdown]
# ## Beside the champion
#
# The difference in AUC on the same bootstrap samples. A version compared with itself differs by
# nothing.

# %%
reviewed.against_champion()
