"""Many settings and seeds, trained in one batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _html, _native, _run
from ._data import with_held_out
from ._estimator import ALRNN, start_row
from ._settings import DEFAULTS, NOT_OF_A_MODEL, plain
from ._watch import Callback, go_on_or_raise

if TYPE_CHECKING:
    import pandas as pd


class Study:
    """A grid of settings × seeds; all its models train together on one device.

        study = Study(P=range(6), seeds=10).fit(X)
        study.to_pandas().groupby("P")["D_stsp"].median()
        study.best.generate(10_000)

    Settings are the flags of `alrnn-gpu train`, with underscores: a value, a list or range of values, or the flag's text
    (`"0..5"`); `preset="rossler"` starts from published ones. A name that is not known is a `ValueError` that says which is
    near.

    After `fit`, `study[id]` is one model (an `ALRNN`), `study.best` the best by the order of `--best`, `members` and `log`
    are the rows of `members.csv` and `log.csv`, `noise_floor` what a perfect model would score.
    """

    #: Where free runs start, and where the run lies as long as it does.
    _start: np.ndarray | None = None
    _folder: Path | None = None

    def __init__(self, **settings: Any):
        #: What was asked for, over the defaults.
        self.given = settings
        #: All settings.
        self.settings, _ = _native.resolved(plain(settings))

    def fit(
        self,
        X: Any,
        *,
        inputs: Any = None,
        test: Any = None,
        test_inputs: Any = None,
        callback: Callback | None = None,
        progress: bool | None = None,
        out: str | os.PathLike[str] | None = None,
        resume: bool = False,
    ) -> Study:
        """Trains all models; arguments as those of `ALRNN.fit`. `callback` gets a row for each model."""
        missing = self.settings["allow_missing"]
        data, held_out = with_held_out(X, inputs, test, test_inputs, allow_missing=missing)
        run = _run.train(self.given, data, held_out, out=out, resume=resume, callback=callback, progress=progress)
        self._keep(run)
        self._start = start_row(data)
        go_on_or_raise(run.raised, run.epochs_done, run.epochs)
        return self

    def _keep(self, run: _run.Run) -> None:
        self.settings, self.record = run.settings, run.record
        self.members, self.log, self.models = run.members, run.log, dict(run.models)
        self._folder = run.path
        self._temporary = run.temporary
        self._start = None

    def _trained(self) -> None:
        if not hasattr(self, "members"):
            raise AttributeError("this Study has not been trained: call fit first")

    @property
    def noise_floor(self) -> dict[str, float]:
        """D_stsp and D_H between the two halves of the data."""
        self._trained()
        floor: dict[str, float] = self.record["noise_floor"]
        return floor

    @property
    def best(self) -> ALRNN:
        """The best model of the study."""
        self._trained()
        if not self.models:
            raise ValueError("no model has a score yet: the first evaluation comes after eval_every epochs")
        return self[next(iter(self.models))]

    def __getitem__(self, member: str) -> ALRNN:
        """The model of one member, by its id (`m003`)."""
        self._trained()
        row = next((row for row in self.members if row["id"] == member), None)
        if row is None or member not in self.models:
            raise KeyError(f"{member}: {'it has no scored model' if row else 'there is no such member'}")
        names = set(DEFAULTS) - {*NOT_OF_A_MODEL, "seeds"}
        parameters: dict[str, Any] = {name: self.settings.get(name) for name in names}
        parameters.update({name: row[name] for name in names & row.keys()})
        parameters["clip"] = row["clip"] or 0.0
        fitted = ALRNN(**parameters, seeds=(row["seed"],))
        fitted._set_model(self.models[member])
        fitted.scores_, fitted._start = row, self._start
        fitted.history_ = [entry for entry in self.log if entry["member"] == member]
        fitted.noise_floor_ = self.noise_floor
        return fitted

    def __len__(self) -> int:
        self._trained()
        return len(self.members)

    def __iter__(self) -> Iterator[str]:
        """Ids of the members with a model, the best first."""
        self._trained()
        return iter(self.models)

    def to_pandas(self) -> pd.DataFrame:
        """A row a model, as in `members.csv`: settings, status, scores."""
        import pandas

        self._trained()
        return pandas.DataFrame(self.members).set_index("id")

    def log_to_pandas(self) -> pd.DataFrame:
        """A row a model and evaluation, as in `log.csv`."""
        import pandas

        self._trained()
        return pandas.DataFrame(self.log)

    def __repr__(self) -> str:
        return f"Study({', '.join(f'{name}={value!r}' for name, value in self.given.items())})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_folder": None, "_temporary": None}

    def _repr_html_(self) -> str:
        if not hasattr(self, "members"):
            return _html.code(repr(self))
        rank = {member: i for i, member in enumerate(self.models)}
        rows = sorted(self.members, key=lambda row: rank.get(row["id"], len(rank)))
        axes = [name for name in ("P", "M", "tau", "T") if len({row[name] for row in rows}) > 1]
        columns = ["id", *axes, "seed", "status", "D_stsp", "D_H", "PE", "roughness"]
        text = _html.code(f"{self!r}: {len(rows)} models, the best {min(len(rows), 10)}") + _html.table(rows[:10], columns)
        if self._folder is None or not self._folder.is_dir():
            return text
        return text + _html.pictures(_native.run_figures(self._folder))


def load(path: str | os.PathLike[str]) -> ALRNN | Study:
    """A model file `.npz` as a fitted `ALRNN`, a run folder (of Python or the command line) as a trained `Study`."""
    if not os.path.isdir(path):
        return ALRNN.from_model(_native.Model.load(path))
    run = _run.read(path)
    study = Study.__new__(Study)
    study.given = {name: value for name, value in run.settings.items() if value != DEFAULTS.get(name)}
    study._keep(run)
    return study
