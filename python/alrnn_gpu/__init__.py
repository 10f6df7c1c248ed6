"""Reconstruct dynamical systems from time series with Almost-Linear RNNs.

    model = alrnn_gpu.ALRNN(P=2).fit(X)      # X: rows are time steps, columns are observed variables
    free = model.generate(10_000)

`ALRNN` is one setting (a scikit-learn estimator), `Study` a grid of settings and seeds that trains in one batch, `analyze`
reads a model, `load` brings back what was saved, here or by the command line. Training is done by the engine of the
command line program `alrnn-gpu`, which this package carries as well: the same settings and seed give the same bits.
"""

from ._analysis import Analysis, analyze
from ._estimator import ALRNN, NotFittedError
from ._native import __version__
from ._settings import robust
from ._study import Study, load
from ._torch import from_torch, to_torch

__all__ = [
    "ALRNN",
    "Analysis",
    "NotFittedError",
    "Study",
    "__version__",
    "analyze",
    "from_torch",
    "load",
    "robust",
    "to_torch",
]
