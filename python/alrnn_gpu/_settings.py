"""Settings: their defaults come from the engine, their values go there as plain Python objects."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _native

#: Name and default of every setting of a study; `None` where nothing is the default.
DEFAULTS: dict[str, Any] = _native.defaults()

#: Settings that are no parameters of a model: files (data come as arrays), and parts of a study.
NOT_OF_A_MODEL = ("data", "inputs", "test", "test_inputs", "drop", "shard")

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
