"""Settings: their defaults come from the engine, their values go there as plain Python objects."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _native
from ._data import trials

#: Name and default of every setting of a study; `None` where nothing is the default.
DEFAULTS: dict[str, Any] = _native.defaults()

#: Settings that are no parameters of a model: files (data come as arrays), and parts of a study.
NOT_OF_A_MODEL = ("data", "inputs", "test", "test_inputs", "hold_out", "drop", "shard")

#: Settings that say where to compute.
DEVICE = ("backend", "device", "threads")


def plain(settings: dict[str, Any]) -> dict[str, Any]:
    """NumPy scalars, arrays, ranges and tuples as Python numbers and lists."""
    return {name: _plain(value) for name, value in settings.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, (range, tuple, list)):
        return [_plain(item) for item in value]
    return value


def robust(
    X: Any, inputs: Any = None, *, M: Any = None, epochs: int | None = None, polish: int | None = None, allow_missing: bool = False
) -> dict[str, Any]:
    """Settings that suit these data, which the command line's `train` takes where nothing is said.

    `ALRNN(P=2, **robust(X))`, `Study(P=range(6), **robust(X, M=[20, 30]))`: standardised data, `tau` and `T` from the time in
    which they decorrelate, noise from how far they move a row, a learning rate that falls with the largest `M` and the
    `epochs` (1,000), then `polish` generations (1,000) of polishing on the score itself; where there is none (0, or external inputs),
    longer training with an inflation and noise that falls, the best state restored. `X` and `inputs` are as in
    `ALRNN.fit`; `M`, where it is not the default, `epochs`, `polish` and `allow_missing` are among the settings returned.
    """
    chosen = _native.robust(trials(X, inputs, allow_missing=allow_missing), plain({"M": M, "epochs": epochs, "polish": polish}))
    return {**chosen, "allow_missing": True} if allow_missing else chosen
