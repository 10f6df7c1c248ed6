"""Data as users have them to arrays that the engine takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Trials:
    """Recordings of equal columns: `x[r]` is `[T_r, N]`, `s[r]` are the external inputs `[T_r, K]` beside it."""

    x: list[np.ndarray]
    s: list[np.ndarray] = field(default_factory=list)
    columns: list[str] | None = None
    input_columns: list[str] | None = None
    allow_missing: bool = False
    #: What messages call them.
    name: str = "X"
    #: Whether the user gave a list, and gets one back.
    many: bool = False


def trials(
    X: Any,
    inputs: Any = None,
    *,
    allow_missing: bool = False,
    columns: list[str] | None = None,
    input_columns: list[str] | None = None,
    name: str = "X",
) -> Trials:
    """Takes one array `[T, N]`, trials (a list of such, or an array `[R, T, N]`), or pandas or xarray objects.

    Arrays in single or double precision are handed on as they lie in memory, others are converted. `columns` and
    `input_columns` are the names that a model knows: what has names is put in their order.
    """
    x, found, many = _arrays(X, name, columns)
    s, found_inputs, _ = _arrays(inputs, "inputs", input_columns) if inputs is not None else ([], None, False)
    if inputs is not None and len(s) != len(x):
        raise ValueError(f"{name} has {len(x)} trial(s), its inputs have {len(s)}")
    return Trials(x, s, columns or found, input_columns or found_inputs, allow_missing, name, many)


def with_held_out(
    X: Any, inputs: Any, test: Any, test_inputs: Any, *, allow_missing: bool
) -> tuple[Trials, Trials | None]:
    """Data to train on and, where there are any, held-out data, whose columns are put in the order of the former."""
    data = trials(X, inputs, allow_missing=allow_missing)
    if test is None:
        return data, None
    held_out = trials(
        test,
        test_inputs,
        allow_missing=allow_missing,
        columns=data.columns,
        input_columns=data.input_columns,
        name="test",
    )
    return data, held_out


def _arrays(X: Any, name: str, known: list[str] | None) -> tuple[list[np.ndarray], list[str] | None, bool]:
    if isinstance(X, (list, tuple)) and len(X) > 0 and all(np.ndim(x) == 2 for x in X):
        parts = [_table(x, known) for x in X]
        many = True
    else:
        whole, names = _table(X, known)
        if whole.ndim == 3:
            parts, many = [(x, names) for x in whole], True
        else:
            parts, many = [(whole, names)], False
    arrays = [_numbers(x, name) for x, _ in parts]
    all_names = [found for _, found in parts if found is not None]
    if any(found != all_names[0] for found in all_names):
        raise ValueError(f"the trials of {name} have columns of different names: {all_names}")
    return arrays, all_names[0] if all_names else None, many


def _table(X: Any, known: list[str] | None) -> tuple[np.ndarray, list[str] | None]:
    """Values and names of columns; those that are known, where X has names."""
    if hasattr(X, "to_dataarray"):  # xarray.Dataset: its variables are the columns
        X = X.to_dataarray("variable").transpose(..., "variable")
    names = None
    if hasattr(X, "columns"):  # pandas.DataFrame
        names = list(X.columns)
    elif hasattr(X, "coords") and hasattr(X, "dims") and X.ndim >= 2 and X.dims[-1] in X.coords:  # xarray.DataArray
        names = np.asarray(X.coords[X.dims[-1]]).tolist()
    values = X if isinstance(X, np.ndarray) else _values(X)
    if names is None or not all(isinstance(name, str) for name in names):
        return values, None
    if known is None or names == known:
        return values, names
    missing = [name for name in known if name not in names]
    if missing:
        raise ValueError(f"there is no column {missing[0]!r} (the model was trained on {known}, these are {names})")
    return values[..., [names.index(name) for name in known]], known


def _values(X: Any) -> np.ndarray:
    if hasattr(X, "toarray") and hasattr(X, "nnz"):
        raise TypeError("sparse data are not supported: give a dense array, X.toarray()")
    return np.asarray(X)


def _numbers(x: np.ndarray, name: str) -> np.ndarray:
    if np.iscomplexobj(x):
        raise ValueError(f"Complex data not supported: {name} holds complex numbers")
    if x.ndim == 1:
        raise ValueError(
            f"{name} has one dimension ({x.shape[0]} values); observations are rows × columns. "
            "Reshape your data: a single column is X.reshape(-1, 1)"
        )
    if x.ndim != 2:
        raise ValueError(f"{name} has {x.ndim} dimensions; observations are rows × columns, or a list of such trials")
    if x.shape[1] == 0:
        raise ValueError(f"{name} has 0 feature(s) (shape={x.shape}) while a minimum of 1 is required.")
    is_ready = x.dtype in (np.float32, np.float64) and x.flags.aligned
    return x if is_ready else np.array(x, dtype=np.float64)
