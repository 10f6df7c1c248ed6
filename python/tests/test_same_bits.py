"""What Python trains is what the command line trains."""

import numpy as np
import pytest
from conftest import SMALL, command_line, flags, same_files

import alrnn_gpu


def both(lorenz, tmp_path, **settings):
    """One study by the command line, one by Python; returns the latter."""
    np.save(tmp_path / "data.npy", lorenz)
    command_line("train", "--data", "data.npy", "--out", "theirs", *flags(settings), cwd=tmp_path)
    study = alrnn_gpu.Study(**settings).fit(lorenz, out=tmp_path / "ours")
    same_files(tmp_path / "theirs", tmp_path / "ours")
    return study


def test_a_study_on_the_cpu(lorenz, tmp_path):
    study = both(lorenz, tmp_path, **{**SMALL, "M": [5, 8]}, seeds=2, standardize=True)
    theirs = alrnn_gpu.load(tmp_path / "theirs")
    assert theirs.members == study.members
    assert list(theirs) == list(study)
    # One model alone has the bits that it has within a study.
    member = study["m001"]
    alone = alrnn_gpu.ALRNN(**member.get_params()).fit(lorenz)
    assert alone.model_.to_bytes() == member.model_.to_bytes()


def test_a_study_on_the_gpu(lorenz, tmp_path, has_gpu):
    if not has_gpu:
        pytest.skip("no Vulkan adapter (Debian: mesa-vulkan-drivers)")
    both(lorenz, tmp_path, **{**SMALL, "backend": "gpu"}, seeds=2)


def test_what_the_data_choose(lorenz, tmp_path):
    np.save(tmp_path / "data.npy", lorenz)
    short = dict(M=6, epochs=2, batches_per_epoch=2, polish=2, backend="cpu")
    without_preset = flags(short)[2:]
    command_line("train", "--data", "data.npy", "--out", "theirs", *without_preset, cwd=tmp_path)
    chosen = {**alrnn_gpu.robust(lorenz, M=short["M"], epochs=short["epochs"]), **short}
    alrnn_gpu.ALRNN(**chosen).fit(lorenz, out=tmp_path / "ours")
    same_files(tmp_path / "theirs", tmp_path / "ours")


def test_inputs_gaps_and_held_out_data(lorenz, tmp_path):
    x = lorenz.copy()
    x[50:60, 1] = np.nan
    s = np.sin(np.arange(len(x)))[:, None]
    for name, array in {"x": x[:700], "s": s[:700], "test": x[700:], "test-s": s[700:]}.items():
        np.save(tmp_path / f"{name}.npy", array)
    settings = {**SMALL, "allow_missing": True}
    files = ["--data", "x.npy", "--inputs", "s.npy", "--test", "test.npy", "--test-inputs", "test-s.npy"]
    command_line("train", *files, "--out", "theirs", *flags(settings), cwd=tmp_path)
    model = alrnn_gpu.ALRNN(**settings)
    model.fit(x[:700], inputs=s[:700], test=x[700:], test_inputs=s[700:], out=tmp_path / "ours")
    same_files(tmp_path / "theirs", tmp_path / "ours")
    assert model.model_.K == 1
    arguments = ["--data", "test.npy", "--inputs", "test-s.npy", "--allow-missing", "--steps", 40, "--out", "free.npy"]
    command_line("generate", "ours", *arguments, cwd=tmp_path)
    free = model.generate(40, x[700:], inputs=s[700:])
    np.testing.assert_array_equal(free, np.load(tmp_path / "free.npy"))
    assert model.generate(30, x[700], inputs=s[700:731]).shape == (31, 3)


def test_scores_generate_and_analyze(lorenz, tmp_path, trained):
    trained.save(tmp_path / "model.npz")
    np.save(tmp_path / "data.npy", lorenz)
    command_line("generate", "model.npz", "--data", "data.npy", "--steps", 200, "--out", "free.npy", cwd=tmp_path)
    np.testing.assert_array_equal(trained.generate(200), np.load(tmp_path / "free.npy"))
    loaded = alrnn_gpu.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(loaded.generate(200, lorenz), np.load(tmp_path / "free.npy"))
    # The scores of training are those of the model kept.
    scores = trained.scores(lorenz)
    assert scores["D_stsp"] == trained.scores_["D_stsp"] == -trained.score(lorenz)
    assert scores["PE"] == trained.scores_["PE"]
    assert scores["noise_floor"]["D_H"] == trained.noise_floor_["D_H"]
    command_line("analyze", "model.npz", "--data", "data.npy", "--steps", 3000, "--out", "analysis", cwd=tmp_path)
    trained.analyze(lorenz, steps=3000).save(tmp_path / "ours")
    for name in ("analysis.json", "transitions.dot"):
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "analysis" / name).read_bytes()


def test_a_run_goes_on_to_the_same_bits(lorenz, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    alrnn_gpu.Study(**SMALL, seeds=2).fit(lorenz, out=whole)

    class Enough(Exception):
        pass

    def stop(epoch, scores):
        raise Enough

    with pytest.raises(Enough):
        alrnn_gpu.Study(**SMALL, seeds=2).fit(lorenz, out=parts, callback=stop)
    with pytest.raises(ValueError, match="not empty"):
        alrnn_gpu.Study(**SMALL, seeds=2).fit(lorenz, out=parts)
    alrnn_gpu.Study(**SMALL, seeds=2).fit(lorenz, out=parts, resume=True)
    same_files(whole, parts)


def test_the_program_says_what_is_wrong(tmp_path):
    failed = command_line("train", "--data", "none.npy", cwd=tmp_path, check=False)
    assert failed.returncode == 2 and failed.stderr.startswith("error: ")
    assert command_line("train", "--m", "3", check=False).returncode == 2
    assert "alrnn-gpu" in command_line("--version").stdout
