"""Data as they come."""

import numpy as np
import pytest
from conftest import SMALL

import alrnn_gpu


def fitted(x, **more):
    return alrnn_gpu.ALRNN(**{**SMALL, **more}).fit(x)


def test_any_order_and_precision(lorenz, trained):
    bits = trained.model_.to_bytes()
    wide = np.zeros((len(lorenz), 6))
    wide[:, ::2] = lorenz
    big_endian = lorenz.astype(">f8")
    for x in (np.asfortranarray(lorenz), wide[:, ::2], lorenz.tolist(), big_endian, lorenz[::-1][::-1]):
        assert fitted(x).model_.to_bytes() == bits
    single = lorenz.astype(np.float32)
    assert fitted(single).model_.to_bytes() == fitted(single.astype(np.float64)).model_.to_bytes()
    read_only = lorenz.copy()
    read_only.flags.writeable = False
    assert fitted(read_only).model_.to_bytes() == bits


def test_trials(lorenz, trained):
    parts = [lorenz[:400], lorenz[400:]]
    model = fitted(parts)
    cube = lorenz.reshape(2, 500, 3)
    assert fitted(cube).model_.to_bytes() == fitted(list(cube)).model_.to_bytes()
    assert [len(x) for x in model.predict(parts)] == [400, 600]
    assert model.generate(10).shape == (11, 3)
    assert model.model_.to_bytes() != trained.model_.to_bytes()


def test_pandas(lorenz):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(lorenz, columns=["x", "y", "z"])
    model = fitted(frame)
    assert list(model.feature_names_in_) == ["x", "y", "z"] and model.model_.columns == ["x", "y", "z"]
    np.testing.assert_array_equal(model.model_.A, fitted(lorenz).model_.A)
    # By name, in any order and beside others.
    mixed = frame.assign(other=0.0)[["z", "other", "y", "x"]]
    np.testing.assert_array_equal(model.predict(mixed), model.predict(lorenz))
    with pytest.raises(ValueError, match="no column 'y'"):
        model.predict(frame[["x", "z"]])
    assert fitted([frame[:500], frame[500:]]).model_.columns == ["x", "y", "z"]


def test_xarray(lorenz):
    xr = pytest.importorskip("xarray")
    array = xr.DataArray(lorenz, dims=("time", "variable"), coords={"variable": ["x", "y", "z"]})
    model = fitted(array)
    assert model.model_.columns == ["x", "y", "z"]
    data_set = xr.Dataset({name: ("time", lorenz[:, j]) for j, name in enumerate("xyz")})
    assert fitted(data_set).model_.to_bytes() == model.model_.to_bytes()
    trials = xr.DataArray(lorenz.reshape(2, 500, 3), dims=("trial", "time", "variable"))
    assert len(model.predict(trials)) == 2


def test_units(lorenz):
    scaled = lorenz * [1.0, 100.0, 0.01] + [0.0, 5000.0, 3.0]
    model = fitted(scaled, standardize=True)
    assert model.model_.mean.shape == (3,)
    free = model.generate(50)
    np.testing.assert_allclose(free[0], scaled[0], rtol=1e-5)
    one_step = model.predict(scaled)
    z = (scaled - model.model_.mean) / model.model_.scale
    assert np.abs((one_step[:-1] - scaled[1:]) / model.model_.scale).mean() < np.abs(z).mean()


def test_predictions(lorenz, trained):
    """Row t is where the free run from row t is after so many steps."""
    predicted = trained.predict(lorenz, steps=7)
    for t in (0, 13, 999):
        np.testing.assert_array_equal(predicted[t], trained.generate(7, lorenz, start=t)[7])
    gappy = lorenz.copy()
    gappy[5, 1] = np.nan
    trained.allow_missing = True
    try:
        assert np.isnan(trained.predict(gappy)).any(axis=1).nonzero()[0].tolist() == [5]
    finally:
        trained.allow_missing = False


@pytest.mark.parametrize(
    "parameters, x, text",
    [
        ({}, np.zeros(10), "one dimension"),
        ({}, np.zeros((3, 100)), "looks transposed"),
        ({}, np.full((100, 2), np.nan), r"missing \(NaN\).*allow_missing"),
        ({"M": 2}, np.ones((100, 3)), r"M = 2 latent units cannot hold N = 3 .*\(use M 3 or more\)"),
        ({"T": 500}, np.random.default_rng(0).normal(size=(100, 3)), "T"),
        ({"batch_size": 0}, np.ones((100, 3)), "^batch_size 0: must be at least 1"),
        ({"P": [1, 2]}, np.ones((100, 3)), "Study"),
        ({"P": "two"}, np.ones((100, 3)), "P: 'two' is not a number"),
        ({"threads": 3000}, np.ones((100, 3)), "^threads 3000: this process computes on"),
    ],
)
def test_what_is_wrong_is_said(parameters, x, text, trained):
    with pytest.raises(ValueError, match=text):
        fitted(x, **parameters)


def test_unknown_names(trained):
    with pytest.raises(ValueError, match=r"unknown setting 'batchsize' \(did you mean 'batch_size'\?\)"):
        alrnn_gpu.Study(batchsize=3)
    with pytest.raises(ValueError, match="did you mean 'start_lr'"):
        trained.set_params(startlr=3)
    with pytest.raises(ValueError, match="did you mean 'max_period'"):
        trained.analyze(max_perod=3)
    with pytest.raises(ValueError, match="unknown preset"):
        alrnn_gpu.ALRNN.preset("lorentz")


def test_defaults_are_the_engines():
    from alrnn_gpu import _native
    from alrnn_gpu._settings import NOT_OF_A_MODEL

    defaults = _native.defaults()
    assert alrnn_gpu.ALRNN().get_params() == {k: v for k, v in defaults.items() if k not in NOT_OF_A_MODEL}
    assert alrnn_gpu.ALRNN.preset("rossler", M=30).get_params()["start_lr"] == 0.005
    assert repr(alrnn_gpu.ALRNN(P=3)) == "ALRNN(P=3)"


def test_data_choose_settings():
    t = np.arange(2_000)[:, None]
    X = 50 + np.sin(2 * np.pi * (t / 100 + [0, 0.2]))
    chosen = alrnn_gpu.robust(X)
    assert chosen == {"standardize": True, "tau": 12, "noise": 0.088, "start_lr": 0.004, "epochs": 1000, "polish": 1000}
    assert alrnn_gpu.robust(X, M=range(20, 31, 10)) == {**chosen, "M": [20, 30], "start_lr": 0.0027}
    # A noise of 0.05 is the default.
    few = {name: value for name, value in chosen.items() if name != "noise"}
    assert alrnn_gpu.robust(X, epochs=125) == {**few, "start_lr": 0.005, "epochs": 125}
    # Nothing follows training: it has settings of its own.
    alone = alrnn_gpu.robust(X, polish=0)
    assert (alone["noise_end"], alone["inflation"], alone["restore_best"]) == (0.0044, 1.015, True)
    assert alone["start_lr"] == 0.0007 and "polish" not in alone
    assert alrnn_gpu.ALRNN(**alone).get_params()["noise_end"] == 0.0044
    X[5, 1] = np.nan
    with pytest.raises(ValueError, match="row 6"):
        alrnn_gpu.robust(X)
    chosen = alrnn_gpu.robust(X, allow_missing=True)
    short = {**chosen, "M": 6, "T": 20, "epochs": 1, "batches_per_epoch": 2, "polish": 1, "backend": "cpu"}
    model = alrnn_gpu.ALRNN(P=2, **short).fit(X)
    assert model.standardize and model.model_.mean is not None
    assert model.scores_["verdict"] in ("alive", "rough", "periodic", "fixed point", "diverged")
    with pytest.raises(ValueError, match="by the data"):
        alrnn_gpu.Study(preset="robust")


def test_model_files_that_are_none(tmp_path):
    (tmp_path / "model.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="model.npz"):
        alrnn_gpu.load(tmp_path / "model.npz")
    with pytest.raises(ValueError, match="not a run folder"):
        alrnn_gpu.load(tmp_path)
    with pytest.raises(AttributeError, match="not fitted"):
        alrnn_gpu.ALRNN().generate(3)


def test_a_diverging_model_is_a_runtime_error(lorenz):
    with pytest.raises(RuntimeError, match=r"every member diverged.*start_lr"):
        fitted(1e6 * lorenz, start_lr=1e6, end_lr=1e6)
