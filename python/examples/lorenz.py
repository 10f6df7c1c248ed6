"""The Lorenz system, from a time series to linear regions: a tutorial that runs top to bottom in under a minute.

Cells begin with `# %%` (VS Code, Spyder and Jupytext show them as a notebook).
"""

# %% [markdown]
# ## Data
# Rows are time steps, columns are observed variables. Here they come from the equations; yours come from a file, a pandas
# DataFrame or an xarray object. What differs widely in units goes with `standardize=True`.

# %%
import numpy as np

import alrnn_gpu


def lorenz(x):
    return np.array([10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]])


def runge_kutta(x, dt):
    a = lorenz(x)
    b = lorenz(x + dt / 2 * a)
    c = lorenz(x + dt / 2 * b)
    return x + dt / 6 * (a + 2 * b + 2 * c + lorenz(x + dt * c))


dt = 0.01
rows = [np.array([1.0, 1.0, 25.0])]
for _ in range(13_000):
    rows.append(runge_kutta(rows[-1], dt))
X = np.array(rows[1_000:])
train, test = X[:9_000], X[9_000:]

# %% [markdown]
# ## One model
# Twenty units, of which two are nonlinear. The published settings are the defaults; 300 epochs in the place of 2,000 are
# enough for a tutorial.

# %%
model = alrnn_gpu.ALRNN(P=2, epochs=300, standardize=True, dt=dt, seeds=3).fit(train)
free = model.generate(5_000)
print(f"a free run of {len(free)} rows; the data span {np.ptp(train, axis=0)}, the run {np.ptp(free, axis=0)}")
model  # in a notebook: data and free run in state space, over time, as spectra

# %% [markdown]
# ## How good is it?
# D_stsp says whether the run fills state space as the data do, D_H whether it vibrates like them; the noise floor is what a
# perfect model would score. PE is the error of predictions a few steps ahead.

# %%
scores = model.scores(test)
print({name: scores[name] for name in ("D_stsp", "D_H", "PE", "noise_floor")})
ahead = model.predict(test, steps=10)
error = np.sqrt(np.mean((ahead[:-10] - test[10:]) ** 2, axis=0)) / train.std(axis=0)
print(f"error 10 steps ahead, in standard deviations: {error.round(3)}")

# %% [markdown]
# ## A study: how many nonlinear units does it take?
# All models of a grid train together. The table goes to pandas.

# %%
study = alrnn_gpu.Study(P=range(3), seeds=2, epochs=150, standardize=True, dt=dt).fit(train)
for row in study.members:
    print(row["id"], "P =", row["P"], "seed", row["seed"], "D_stsp", row["D_stsp"])
print("best:", study.best)

# %% [markdown]
# ## Reading a model
# Within a linear region the model is an affine map, so fixed points, cycles and Lyapunov exponents are exact or nearly so.

# %%
analysis = model.analyze(train, steps=20_000)
print(analysis.summary())
print("regions", [(region["code"], round(region["share"], 3)) for region in analysis.regions])
print("largest Lyapunov exponent, per unit of time:", analysis.lyapunov[0] / dt, "(the system's: 0.906)")
symbols = analysis.symbols  # one number a step: a symbolic trajectory
edges = analysis.edges  # networkx.DiGraph(edges) is the graph of transitions

# %% [markdown]
# ## Keeping it
# The file is an `.npz`; the command line reads it as well: `alrnn-gpu analyze model.npz`.

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    model.save(Path(folder) / "model.npz")
    same = alrnn_gpu.load(Path(folder) / "model.npz")
    assert np.array_equal(same.generate(100, train), model.generate(100, train))
