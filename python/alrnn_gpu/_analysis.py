"""Reading a trained model."""

from __future__ import annotations

import functools
import io
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _html, _native
from ._settings import plain

if TYPE_CHECKING:
    from ._estimator import ALRNN


def analyze(
    model: ALRNN,
    X: Any = None,
    *,
    inputs: Any = None,
    start: Any = None,
    constant_input: Any = None,
    **settings: Any,
) -> Analysis:
    """Reads a fitted model: linear regions and symbols, transitions, exact fixed points and cycles,
    periodic orbits of a flow, Lyapunov spectrum.

    `X` (with its `inputs`) is encoded by the model's regions, and the free run that is analysed starts from its first row;
    without, from `start` `[N]` or from where the training data do. `constant_input` `[K]` is the external input of the map
    that is analysed, by default 0. Settings are those of `alrnn-gpu analyze`, with underscores: `steps`, `transient`,
    `max_period`, `max_word_length`, `search_budget`, `seed`, `dt`, …
    """
    fitted = model._fitted()
    data = None if X is None else model._trials(X, inputs)
    if start is None:
        start = model._start
    row = None if start is None else np.asarray(start, dtype=np.float64).tolist()
    constant = None if constant_input is None else np.asarray(constant_input, dtype=np.float64).tolist()
    return Analysis(_native.Analysis(fitted, data, row, constant, plain(settings)))


class Analysis:
    """What is known of a model.

    `tables` holds all of it, as `analysis.json` of the command line does, `arrays` the arrays of its `analysis.npz`; the
    properties are what is asked for most. Lists of dictionaries go into `pandas.DataFrame`.
    """

    def __init__(self, native: _native.Analysis):
        self._native: _native.Analysis | None = native
        self.tables: dict[str, Any] = json.loads(native.json())
        self._npz = native.npz()
        self._summary = native.summary()

    @functools.cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """By the names of `analysis.npz`."""
        with np.load(io.BytesIO(self._npz)) as file:
            return dict(file)

    @property
    def attractor(self) -> dict[str, Any]:
        """Where the free run ends: its `kind` is `chaotic`, `fixed-point`, `cycle`, `regular`, `settling` or `diverges`."""
        attractor: dict[str, Any] = self.tables["attractor"]
        return attractor

    @property
    def regions(self) -> list[dict[str, Any]]:
        """The linear regions, most visited first: `code` (a bit a ReLU unit), `share` of the run, `dwell`, `mean`."""
        regions: list[dict[str, Any]] = (self.tables["regions"] or {}).get("list", [])
        return regions

    @property
    def symbols(self) -> np.ndarray:
        """The symbol (the number of the region) at every step of the free run, `[steps]`."""
        return self.arrays.get("symbols", np.zeros(0, dtype=np.uint32))

    @property
    def states(self) -> np.ndarray:
        """First states of the free run, `[≤ 20,000, M]`, in the model's units."""
        return self.arrays.get("z", np.zeros((0, self.tables["M"]), dtype=np.float32))

    @property
    def edges(self) -> list[tuple[str, str, dict[str, float]]]:
        """Transitions between regions as networkx takes them: `networkx.DiGraph(analysis.edges)`.

        `(from, to, {"probability", "count", "change_probability"})`, the last one among steps that change the region.
        """
        graph = self.tables["transitions"]
        if graph is None:
            return []
        labels = [node["label"] for node in graph["nodes"]]
        return [
            (
                labels[i],
                labels[j],
                {
                    "probability": graph["probability"][i][j],
                    "count": count,
                    "change_probability": graph["change_probability"][i][j],
                },
            )
            for i, row in enumerate(graph["counts"])
            for j, count in enumerate(row)
            if count > 0
        ]

    @property
    def fixed_points(self) -> list[dict[str, Any]]:
        """Real and virtual ones: `code`, `real`, `z` `[M]`, `observed` `[N]` in the data's units, `eigenvalues` `[M]`."""
        eigenvalues = _complex(self.arrays["fixed_point_eigenvalues"])
        return [
            {**point, "z": np.array(point["z"]), "observed": np.array(point["observed"]), "eigenvalues": values}
            for point, values in zip(self.tables["fixed_points"]["points"], eigenvalues, strict=True)
        ]

    @property
    def cycles(self) -> list[dict[str, Any]]:
        """Exact cycles by period: `period`, `word`, `states` `[period, M]`, `observed` `[period, N]`, `eigenvalues`."""
        return [
            {**cycle, "states": states, "observed": np.array(cycle["observed"]), "eigenvalues": values}
            for search in self.tables["cycles"]
            if search["cycles"]
            for cycle, states, values in zip(
                search["cycles"],
                self.arrays[f"cycles_{search['period']}"],
                _complex(self.arrays[f"cycle_eigenvalues_{search['period']}"]),
                strict=True,
            )
        ]

    @property
    def periodic_orbits(self) -> list[dict[str, Any]]:
        """Periodic orbits of a model that stands for a flow: `word`, `period` in steps, `multiplier`, `states` `[rows, M]`, …

        Empty where the model stands for none, or none was found."""
        found = self.tables["periodic"]
        if not found or not found["orbits"]:
            return []
        rows = self.arrays["periodic_rows"]
        states = np.split(self.arrays["periodic_z"], rows[1:-1])
        multipliers = _complex(self.arrays["periodic_multipliers"])
        return [
            {**orbit, "z": np.array(orbit["z"]), "states": states, "multipliers": values}
            for orbit, states, values in zip(found["orbits"], states, multipliers, strict=True)
        ]

    @property
    def settled_on(self) -> dict[str, Any] | None:
        """The exact orbit on which the run has settled, if it has."""
        orbit: dict[str, Any] | None = self.tables["settled_on"]
        return orbit

    @property
    def lyapunov(self) -> np.ndarray:
        """The Lyapunov spectrum `[M]`, falling, in nats a step; empty for a model that diverges."""
        return self.arrays["lyapunov"][:, 0] if "lyapunov" in self.arrays else np.zeros(0)

    @property
    def lyapunov_error(self) -> np.ndarray:
        """Standard errors of the exponents."""
        return self.arrays["lyapunov"][:, 1] if "lyapunov" in self.arrays else np.zeros(0)

    def summary(self) -> str:
        """The tables as text."""
        return self._summary

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Writes `analysis.json`, `analysis.npz` and `transitions.dot` into a folder."""
        self._whole().write(folder)

    def _whole(self) -> _native.Analysis:
        if self._native is None:
            raise ValueError("a pickled analysis has its tables and arrays only; analyse the model again")
        return self._native

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_native": None}

    def __repr__(self) -> str:
        return f"Analysis({self.attractor['kind']}, {len(self.regions)} regions, {len(self.fixed_points)} fixed points)"

    def _repr_html_(self) -> str:
        text = _html.code(self._summary)
        return text if self._native is None else text + _html.pictures(self._native.figures())


def _complex(pairs: np.ndarray) -> np.ndarray:
    return pairs[..., 0] + 1j * pairs[..., 1]
