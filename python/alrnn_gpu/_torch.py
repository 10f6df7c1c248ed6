"""Parameters in the layout of the authors' PyTorch tutorial."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import _native
from ._estimator import ALRNN


def from_torch(state_dict: Mapping[str, Any], P: int, N: int | None = None) -> ALRNN:
    """A model from a state dict with `A`, `W`, `h`, and `B` where there is one (of tensors or arrays).

    `A` is a vector `[M]` or a diagonal matrix. `B` `[N, M]` maps observations to states, so `L = B[:, N:]ᵀ`; the first `N`
    units are the observation itself. Without `B`, hidden units start at 0, and `N` says how many units are observed (by
    default all). `C` `[M, K]` belongs to external inputs. Names may have a prefix (`model.A`). A state dict does not hold
    `P`, the number of ReLU units.
    """
    arrays = {name.rpartition(".")[2]: _array(value) for name, value in state_dict.items()}
    missing = [name for name in ("A", "W", "h") if name not in arrays]
    if missing:
        raise ValueError(f"the state dict has no {missing[0]} (it holds {', '.join(state_dict)})")
    M = len(arrays["A"])
    if "B" in arrays:
        B = arrays["B"]
        if B.ndim != 2 or B.shape[1] != M or B.shape[0] > M:
            raise ValueError(f"B is {' × '.join(map(str, B.shape))}, expected N × M with M = {M}")
        if N is not None and N != B.shape[0]:
            raise ValueError(f"N = {N}, but B has {B.shape[0]} rows")
        N = B.shape[0]
        L = B[:, N:].T
    else:
        N = M if N is None else N
        L = np.zeros((max(M - N, 0), N))
    file = io.BytesIO()
    kept: dict[str, Any] = {name: arrays[name] for name in ("A", "W", "h", "C") if name in arrays}
    np.savez(file, L=L, P=P, N=N, **kept)
    return ALRNN.from_model(_native.Model.from_bytes(file.getvalue(), "the state dict"))


def to_torch(model: ALRNN) -> dict[str, Any]:
    """`A` `[M]`, `W`, `h`, `B` `[N, M]` (and `C`) in single precision: tensors where PyTorch is installed, else arrays.

    They are in the model's units: where it was trained with `standardize=True`, those of z-scores.
    """
    fitted = model._fitted()
    B = np.concatenate([np.eye(fitted.N), fitted.L.T], axis=1)
    arrays = {"A": fitted.A, "W": fitted.W, "h": fitted.h, "B": B}
    if fitted.K > 0:
        arrays["C"] = fitted.C
    single = {name: value.astype(np.float32) for name, value in arrays.items()}
    try:
        import torch
    except ImportError:
        return single
    return {name: torch.from_numpy(value) for name, value in single.items()}


def _array(value: Any) -> np.ndarray:
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.asarray(value, dtype=np.float64)
