# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Past runs in a notebook
#
# Jupyter with jupytext, VS Code and Spyder open this file as a notebook; `python docs/notebook.py`
# runs it as it is. It asks the runs of the folder `runs`, or that `JAXPOT_RUNS_DIR` names.

# %%
import os

import jaxpot

store = jaxpot.open_store(os.environ.get("JAXPOT_RUNS_DIR", "runs"))

# %% [markdown]
# Nothing stays open between two cells: runs go on and record while this notebook lives. An answer
# is a table of pandas, polars or Arrow, or plain rows.

# %%
store.runs().df()[["name", "seed", "status", "iterations", "started"]]

# %% [markdown]
# ## A curve
#
# A word for a run is its uid, the start of one, a name, a tag, or `latest`.

# %%
loss = store.series("latest", "total_loss").df()
loss["smooth"] = loss["value"].rolling(20, min_periods=1).mean()
loss.tail()

# %% [markdown]
# ## Every metric of a run, a column each

# %%
wide = store.wide("latest", keys=["total_loss", "iteration/*"]).pl()
wide.tail(3)

# %% [markdown]
# ## Seeds
#
# The queries that `jaxpot sql --list` lists have names; their parameters are arguments.

# %%
seeds = store.sql("seeds", key="total_loss").df()
seeds.head()

# %% [markdown]
# ## SQL
#
# `$name` in a query is an argument, which is bound. The views are those of `jaxpot sql --schema`.

# %%
store.sql(
    """
    SELECT p.number AS learning_rate, avg(l.value) AS total_loss, count(*) AS runs
    FROM latest AS l
    JOIN spec_params AS p ON p.uid = l.uid
    WHERE p.path = 'optimizer.learning_rate' AND l.key = $key
    GROUP BY learning_rate
    ORDER BY learning_rate
    """,
    key="total_loss",
).df()

# %% [markdown]
# ## Which run was best, and how does it differ from the newest?

# %%
best = store.sql("leaderboard", key="total_loss", better="min", limit=1).dicts()[0]
differences = store.sql("spec_diff", a=f"run:{best['uid']}").rows()
print(f"{best['name']} {best['uid']}: {best['best']:.4g} at iteration {best['iter']}")
for path, its_value, newest_value in differences:
    print(f"  {path}: {its_value} (the newest run: {newest_value})")
