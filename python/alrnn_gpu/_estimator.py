"""One model as a scikit-learn estimator."""

from __future__ import annotations

import inspect
import os
from typing import Any

import numpy as np

from . import _html, _native, _run
from ._analysis import Analysis, analyze
from ._data import Trials, trials, with_held_out
from ._settings import DEFAULTS as D
from ._settings import DEVICE, plain
from ._watch import Callback, go_on_or_raise

#: Rows of the training data that are kept for pictures.
SHOWN = 8000


class NotFittedError(ValueError, AttributeError):
    """Where scikit-learn is installed, its own exception of this name is raised."""


class ALRNN:
    """An Almost-Linear RNN: `z' = A ∘ z + W φ(z) + h + C s`, of whose `M` units the last `P` are ReLU units.

    Parameters are the flags of `alrnn-gpu train`, with underscores; their defaults are the published Lorenz-63 settings
    (`ALRNN.preset` gives others, `robust` those that suit your data). Times are counted in steps of the data. `seeds` is a count or a list: of several seeds,
    trained together, the best model is kept.

    `fit` trains, and keeps the best model of all evaluations. `X` is one recording `[T, N]` (rows are time steps), a list of
    such trials, an array of trials `[R, T, N]`, or a pandas or xarray object; NaN is a missing observation with
    `allow_missing=True`. External inputs go beside the data: `inputs` `[T, K]`. With `standardize=True` the columns are
    z-scored inside; whatever goes in and comes out is in the units of the data.

    After `fit`: `model_` (parameters `A W h L C` as arrays), `scores_` (of the model kept, on the training data or on
    `test`), `history_` (a row an evaluation and seed, as in `log.csv`), `n_features_in_`, `feature_names_in_` where columns
    have names, and `n_iter_`, the epochs done.
    """

    #: Where free runs start, and what pictures show, of the training data.
    _start: np.ndarray | None = None
    _shown: Trials | None = None

    def __init__(
        self,
        *,
        P: int = D["P"],
        M: int = D["M"],
        tau: int = D["tau"],
        alpha: float = D["alpha"],
        T: int = D["T"],
        batch_size: int = D["batch_size"],
        noise: float = D["noise"],
        noise_end: float | None = D["noise_end"],
        inflation: float = D["inflation"],
        start_lr: float = D["start_lr"],
        end_lr: float = D["end_lr"],
        clip: float = D["clip"],
        lambda_lat: float = D["lambda_lat"],
        lambda_obs: float = D["lambda_obs"],
        seeds: int | tuple[int, ...] = D["seeds"],
        optimizer: str = D["optimizer"],
        epochs: int = D["epochs"],
        batches_per_epoch: int = D["batches_per_epoch"],
        form: str = D["form"],
        restore_best: bool = D["restore_best"],
        polish: int = D["polish"],
        eval_every: int = D["eval_every"],
        dstsp: str = D["dstsp"],
        bins: int = D["bins"],
        gmm_variance: float = D["gmm_variance"],
        smoothing: float = D["smoothing"],
        pe_steps: int = D["pe_steps"],
        allow_missing: bool = D["allow_missing"],
        standardize: bool = D["standardize"],
        dt: float | None = D["dt"],
        backend: str = D["backend"],
        device: str | None = D["device"],
        threads: int | None = D["threads"],
    ):
        self.P = P
        self.M = M
        self.tau = tau
        self.alpha = alpha
        self.T = T
        self.batch_size = batch_size
        self.noise = noise
        self.noise_end = noise_end
        self.inflation = inflation
        self.start_lr = start_lr
        self.end_lr = end_lr
        self.clip = clip
        self.lambda_lat = lambda_lat
        self.lambda_obs = lambda_obs
        self.seeds = seeds
        self.optimizer = optimizer
        self.epochs = epochs
        self.batches_per_epoch = batches_per_epoch
        self.form = form
        self.restore_best = restore_best
        self.polish = polish
        self.eval_every = eval_every
        self.dstsp = dstsp
        self.bins = bins
        self.gmm_variance = gmm_variance
        self.smoothing = smoothing
        self.pe_steps = pe_steps
        self.allow_missing = allow_missing
        self.standardize = standardize
        self.dt = dt
        self.backend = backend
        self.device = device
        self.threads = threads

    @classmethod
    def preset(cls, name: str, **parameters: Any) -> ALRNN:
        """With the published settings of this name (`lorenz63`, `rossler`, `lorenz96`, `ecg`, `eeg`, `fmri`)."""
        return cls(**{**_native.preset(name), **parameters})

    # --- what scikit-learn asks of an estimator ---

    @classmethod
    def _names(cls) -> list[str]:
        return sorted(name for name in inspect.signature(cls.__init__).parameters if name != "self")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by their names."""
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self, **parameters: Any) -> ALRNN:
        """Sets parameters by their names."""
        for name, value in parameters.items():
            if name not in self._names():
                _native.resolved({name: value})  # says which name is near
                raise ValueError(f"{name!r} is no parameter of {type(self).__name__}")
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags

        tags = Tags(estimator_type=None, target_tags=TargetTags(required=False))
        tags.input_tags = InputTags(allow_nan=self.allow_missing, three_d_array=True)
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __repr__(self) -> str:
        defaults = {name: p.default for name, p in inspect.signature(type(self).__init__).parameters.items()}
        given = (f"{name}={value!r}" for name, value in self.get_params().items() if value is not defaults[name])
        return f"{type(self).__name__}({', '.join(given)})"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_shown"}

    # --- training ---

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        inputs: Any = None,
        test: Any = None,
        test_inputs: Any = None,
        callback: Callback | None = None,
        progress: bool | None = None,
        out: str | os.PathLike[str] | None = None,
        resume: bool = False,
    ) -> ALRNN:
        """Trains on `X`; `y` is ignored.

        Scores are taken on `test` where it is given. `callback(epoch, scores)` is called after every evaluation with a list
        of dictionaries, one for each seed. Progress is shown at a prompt, in a notebook or on a terminal (`progress`
        decides otherwise). `out` is a run folder to make, as the command line's `--out`; `resume` goes on with the run that
        is there, to the same bits as without the break.

        Ctrl-C ends training after the epoch under way, and what was trained is kept in this object (and in `out`); at a
        prompt or in a notebook that is a warning, in a program `KeyboardInterrupt` is raised then.
        """
        settings = self.get_params()
        _, points = _native.resolved(plain(settings))
        if points > 1:
            raise ValueError("an ALRNN has one setting; a grid of several is a Study")
        data, held_out = with_held_out(X, inputs, test, test_inputs, allow_missing=self.allow_missing)
        if sum(len(x) for x in data.x) == 1:
            raise ValueError(f"one time step (1 sample) cannot be learnt from: windows are T = {self.T} steps long")
        run = _run.train(settings, data, held_out, out=out, resume=resume, callback=callback, progress=progress)
        self._keep(run, data)
        go_on_or_raise(run.raised, run.epochs_done, run.epochs)
        return self

    def _keep(self, run: _run.Run, data: Trials) -> None:
        if run.models:
            best, model = run.models[0]
        else:  # ended before the first evaluation
            best = run.members[0]["id"]
            model = _native.Model.load(run.path / "last" / f"{best}.npz")
        self._set_model(model)
        self.scores_ = next(row for row in run.members if row["id"] == best)
        self.history_ = run.log
        self.noise_floor_ = run.record["noise_floor"]
        self.n_iter_ = run.epochs_done
        self._start = start_row(data)
        self._shown = Trials(
            [data.x[0][:SHOWN].copy()],
            [s[:SHOWN].copy() for s in data.s[:1]],
            data.columns,
            data.input_columns,
            data.allow_missing,
        )

    def _set_model(self, model: _native.Model) -> None:
        self.model_ = model
        self.n_features_in_ = model.N
        if model.columns is not None:
            self.feature_names_in_ = np.array(model.columns, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    @classmethod
    def from_model(cls, model: _native.Model, **parameters: Any) -> ALRNN:
        """A fitted estimator around a model that is trained already."""
        known = {"P": model.P, "M": model.M, "dt": model.dt, "standardize": model.mean is not None}
        fitted = cls(**{**known, **parameters})
        fitted._set_model(model)
        return fitted

    # --- what a model is for ---

    def generate(
        self,
        steps: int | None = None,
        X: Any = None,
        *,
        inputs: Any = None,
        start: int | None = None,
        latent: bool = False,
    ) -> np.ndarray:
        """Runs freely for `steps` steps: observations `[steps + 1, N]` in the units of the data, row 0 is the start.

        The start is row `start` of `X` (a recording, or one row `[N]`), by default its first complete row; without `X`, the
        training data's. A model with external inputs is driven by `inputs` `[T, K]`, row by row beside `X`. Without `steps`
        it runs to the end of `X`. `latent=True` gives the states `[steps + 1, M]` in the model's units.
        """
        model = self._fitted()
        if X is None:
            if self._start is None:
                raise ValueError("this model has no data to start from: give X, a recording or one row of it")
            if steps is None:
                raise ValueError("steps are needed where there is no X to run beside")
            X = self._start
        if not isinstance(X, (list, tuple)) and np.ndim(X) == 1:
            X = one_row(X, inputs)
            data = self._trials(X, inputs, allow_missing=True)
        else:
            data = self._trials(X, inputs)
        return model.generate(data, start, steps, latent, self._device())

    def predict(self, X: Any, steps: int = 1, *, inputs: Any = None) -> np.ndarray | list[np.ndarray]:
        """Predicts from every row of `X` what is observed `steps` rows later: `[T, N]` for a recording, a list for trials.

        Row `t` belongs to time `t + steps`. It is NaN where row `t` is not complete, or inputs end before.
        """
        model = self._fitted()
        data = self._trials(X, inputs)
        predicted = model.predict(data, steps, self._device())
        return predicted if data.many else predicted[0]

    def scores(self, X: Any, *, inputs: Any = None) -> dict[str, Any]:
        """`D_stsp`, `D_H`, `PE` (over `pe_steps` steps), `roughness`, `saturated`, beside them the `noise_floor`."""
        model = self._fitted()
        names = ("dstsp", "bins", "gmm_variance", "smoothing", "pe_steps", *DEVICE)
        settings = plain({name: getattr(self, name) for name in names})
        scored = _native.score([model], self._trials(X, inputs), settings)
        found, floor = scored["models"][0], scored["noise_floor"]
        return {
            "D_stsp": found["dstsp"],
            "D_H": found["dh"],
            "PE": found["pe"],
            "roughness": found["roughness"],
            "saturated": found["saturated"],
            "noise_floor": {"D_stsp": floor["dstsp"], "D_H": floor["dh"]},
        }

    def score(self, X: Any, y: Any = None, *, inputs: Any = None) -> float:
        """−D_stsp on `X`: higher is better, 0 is perfect; −∞ where the model runs away."""
        divergence = self.scores(X, inputs=inputs)["D_stsp"]
        return -divergence if np.isfinite(divergence) else -np.inf

    def analyze(self, X: Any = None, **options: Any) -> Analysis:
        """Reads the model (see `analyze`); without `X` from where the training data start."""
        return analyze(self, X, **options)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model file `.npz`, which `load`, the command line and any reader of arrays take."""
        self._fitted().save(path)

    def _fitted(self) -> _native.Model:
        if hasattr(self, "model_"):
            return self.model_
        try:
            from sklearn.exceptions import NotFittedError as Unfitted
        except ImportError:
            Unfitted = NotFittedError
        raise Unfitted(f"This {type(self).__name__} instance is not fitted yet: call fit first")

    def _trials(self, X: Any, inputs: Any = None, allow_missing: bool | None = None) -> Trials:
        model = self._fitted()
        data = trials(
            X,
            inputs,
            allow_missing=self.allow_missing if allow_missing is None else allow_missing,
            columns=model.columns,
            input_columns=model.input_columns,
        )
        found = data.x[0].shape[1]
        if found != model.N:
            raise ValueError(f"X has {found} features, but {type(self).__name__} is expecting {model.N} features as input")
        return data

    def _device(self) -> dict[str, Any]:
        return plain({name: getattr(self, name) for name in DEVICE})

    def _repr_html_(self) -> str:
        if not hasattr(self, "model_"):
            return _html.code(repr(self))
        scores = getattr(self, "scores_", None)
        columns = ["best_epoch", "D_stsp", "D_H", "PE", "roughness"]
        text = _html.code(repr(self)) + (_html.table([scores], columns) if scores else "")
        if self._shown is None:
            return text
        return text + _html.pictures(_native.model_figures(self.model_, self._shown, float(self.smoothing), SHOWN))


def start_row(data: Trials) -> np.ndarray:
    """The row that free runs start from: the first complete one, or else the first."""
    complete = np.flatnonzero(~np.isnan(data.x[0]).any(axis=1))
    return np.array(data.x[0][complete[0] if len(complete) else 0], dtype=np.float64)


def one_row(x: Any, inputs: Any) -> np.ndarray:
    """A recording of which only the start was observed, as long as the inputs."""
    x = np.asarray(x, dtype=np.float64)
    recording = np.full((1 if inputs is None else len(inputs), len(x)), np.nan)
    recording[0] = x
    return recording
