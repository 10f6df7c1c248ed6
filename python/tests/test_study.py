"""Studies, analyses, pictures, other layouts."""

import base64
import re

import numpy as np
import pytest
from conftest import SMALL

import alrnn_gpu


@pytest.fixture(scope="module")
def study(lorenz):
    return alrnn_gpu.Study(**{**SMALL, "P": range(3)}, seeds=2).fit(lorenz)


def test_a_study(study, lorenz):
    assert len(study) == 6 and len(list(study)) == 6
    assert study.best.scores_["id"] == next(iter(study))
    assert study["m003"].P == 1 and study["m003"].seeds == (1,)
    assert study["m003"].generate(10).shape == (11, 3)
    assert {row["epoch"] for row in study.log} == {2, 4, 6}
    with pytest.raises(KeyError, match="no such member"):
        study["m999"]
    pytest.importorskip("pandas")
    table = study.to_pandas()
    assert table.groupby("P")["D_stsp"].median().notna().all() and table.index[3] == "m003"
    assert len(study.log_to_pandas()) == 18


def test_grids_as_they_are_written(lorenz):
    for P in ("0..2", [0, 1, 2], np.arange(3), (0, 1, 2)):
        assert alrnn_gpu.Study(P=P).settings["P"] == [0, 1, 2]
    assert alrnn_gpu.Study(preset="rossler").settings["start_lr"] == 0.005
    assert alrnn_gpu.Study(seeds=[3, 7], noise=np.float32(0.5)).settings["seeds"] == [3, 7]


def test_an_analysis(trained, lorenz):
    analysis = trained.analyze(lorenz, steps=2000)
    assert len(analysis.symbols) == 2000 and analysis.states.shape[1] == 8
    assert len(analysis.lyapunov) == len(analysis.lyapunov_error) == 8
    assert sum(region["share"] for region in analysis.regions) == pytest.approx(1.0)
    assert analysis.regions[0]["data_share"] is not None
    for point in analysis.fixed_points:
        assert len(point["eigenvalues"]) == 8
        if point["real"]:
            z = point["z"]
            assert step(trained.model_, z) == pytest.approx(z, abs=1e-6)
    for cycle in analysis.cycles:
        states = cycle["states"]
        assert np.stack([step(trained.model_, z) for z in states]) == pytest.approx(np.roll(states, -1, 0), abs=1e-6)
    networkx = pytest.importorskip("networkx")
    graph = networkx.DiGraph(analysis.edges)
    assert set(graph) <= {region["code"] for region in analysis.regions} | {"others"}
    assert sum(edge["count"] for _, _, edge in analysis.edges) == 1999


def step(model, z, inputs=None):
    """The recurrence, in NumPy."""
    relu = np.arange(len(z)) >= len(z) - model.P
    z = model.A * z + model.W @ np.where(relu, np.maximum(z, 0), z) + model.h
    return z if inputs is None else z + model.C @ inputs


def test_pictures(trained, study):
    analysis = trained.analyze(steps=2000)
    for shown in (trained, study, analysis):
        text = shown._repr_html_()
        images = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', text)
        assert images and all(b"<svg" in base64.b64decode(image) for image in images)
        assert not re.search(r'(src|href)="http', text)
    assert "ALRNN(P=3)" in alrnn_gpu.ALRNN(P=3)._repr_html_()


@pytest.mark.parametrize("diagonal", [False, True])
def test_the_tutorials_layout(diagonal):
    """A, W, h, B as the authors' PyTorch tutorial keeps them, here in NumPy; its loop and ours run alike."""
    random = np.random.default_rng(0)
    M, N, P = 12, 3, 4
    A = random.uniform(0.3, 0.7, M).astype(np.float32)
    state = {
        "A": np.diag(A) if diagonal else A,
        "W": (0.1 * random.normal(size=(M, M))).astype(np.float32),
        "h": (0.1 * random.normal(size=M)).astype(np.float32),
        "B": random.normal(size=(N, M)).astype(np.float32),
    }
    model = alrnn_gpu.from_torch({f"model.{name}": value for name, value in state.items()}, P=P)
    x0 = random.normal(size=N).astype(np.float32)
    z = x0 @ state["B"]
    z[:N] = x0
    run = [z]
    for _ in range(200):
        active = z.copy()
        active[-P:] = np.maximum(active[-P:], 0)
        z = A * z + state["W"] @ active + state["h"]
        run.append(z)
    free = model.generate(200, x0, latent=True)
    np.testing.assert_allclose(free, run, rtol=1e-4, atol=1e-5)
    back = alrnn_gpu.to_torch(model)
    for name in ("A", "W", "h"):
        np.testing.assert_array_equal(np.asarray(back[name]), A if name == "A" else state[name])
    np.testing.assert_array_equal(np.asarray(back["B"])[:, N:], state["B"][:, N:])
    again = alrnn_gpu.from_torch(back, P=P)
    assert again.model_.to_bytes() == model.model_.to_bytes()


def test_layouts_that_do_not_fit():
    state = {"A": np.ones(4), "W": np.ones((4, 4)), "h": np.ones(4)}
    assert alrnn_gpu.from_torch(state, P=1, N=2).model_.L.shape == (2, 2)
    with pytest.raises(ValueError, match="no h"):
        alrnn_gpu.from_torch({"A": np.ones(4), "W": np.ones((4, 4))}, P=1)
    with pytest.raises(ValueError, match="P = 5"):
        alrnn_gpu.from_torch(state, P=5)
    with pytest.raises(ValueError, match="not diagonal"):
        alrnn_gpu.from_torch({**state, "A": np.ones((4, 4))}, P=1)
    with pytest.raises(ValueError, match="expected N × M"):
        alrnn_gpu.from_torch({**state, "B": np.ones((4, 3))}, P=1)


def test_numpy_steps_a_saved_model(trained, tmp_path, lorenz):
    """What the READMEs do with a model file."""
    trained.save(tmp_path / "model.npz")
    m = np.load(tmp_path / "model.npz")
    relu = np.arange(len(m["A"])) >= len(m["A"]) - m["P"]
    z = np.r_[lorenz[0], m["L"] @ lorenz[0]]
    for expected in trained.generate(5, lorenz)[1:]:
        z = m["A"] * z + m["W"] @ np.where(relu, np.maximum(z, 0), z) + m["h"]
        np.testing.assert_allclose(z[: m["N"]], expected, rtol=1e-3, atol=1e-4)
