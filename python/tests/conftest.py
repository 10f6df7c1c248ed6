import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import alrnn_gpu

# Without a desktop session, Mesa's device selection writes complaints of its own to stderr.
os.environ.setdefault("NODEVICE_SELECT", "1")

#: A model that trains in well under a second.
SMALL = dict(
    P=2, M=8, T=20, tau=5, batch_size=4, epochs=6, batches_per_epoch=5, eval_every=2, bins=5, backend="cpu", pe_steps=5
)


def command_line(*arguments, cwd=None, check=True):
    """The program that the wheel carries."""
    command = [sys.executable, "-m", "alrnn_gpu", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, check=check, capture_output=True, text=True)


def flags(settings):
    """Settings over the published ones as the command line's flags, which leaves to the data what is not said otherwise."""
    words = ["--preset", "lorenz63"]
    for name, value in settings.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            words += [flag]
        else:
            words += [flag, ",".join(map(str, value)) if isinstance(value, (list, tuple, range)) else str(value)]
    return words


@pytest.fixture(scope="session")
def lorenz(tmp_path_factory) -> np.ndarray:
    """1,000 rows of the Lorenz system, `[T, 3]`."""
    path = tmp_path_factory.mktemp("data") / "lorenz.npy"
    command_line("simulate", "lorenz63", "--steps", 1000, "--out", path)
    return np.load(path)


@pytest.fixture(scope="session")
def trained(lorenz) -> alrnn_gpu.ALRNN:
    return alrnn_gpu.ALRNN(**SMALL).fit(lorenz)


@pytest.fixture(scope="session")
def has_gpu() -> bool:
    """Whether there is an adapter, Mesa's software one included."""
    return '"name"' in command_line("devices", "--json", check=False).stdout


def same_files(a: Path, b: Path):
    """Everything of a run that must not depend on how it came about."""
    names = [
        "members.csv",
        "log.csv",
        *(f"{kind}/{file.name}" for kind in ("best", "last") for file in (a / kind).iterdir()),
    ]
    assert len(names) > 3
    for name in names:
        assert (a / name).read_bytes() == (b / name).read_bytes(), f"{name} differs"
