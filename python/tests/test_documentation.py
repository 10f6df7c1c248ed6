"""What the documentation shows runs."""

import re
import subprocess
import sys
from pathlib import Path

PYTHON = Path(__file__).parents[1]


def run(script, cwd):
    finished = subprocess.run([sys.executable, "-W", "error", *script], cwd=cwd, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_the_tutorial(tmp_path):
    text = run([PYTHON / "examples" / "lorenz.py"], tmp_path)
    assert "largest Lyapunov exponent" in text and "best: ALRNN(" in text


def test_the_readmes_lines(tmp_path):
    """The two lines of the main README, on its data, for fewer epochs and generations."""
    readme = (PYTHON.parent / "README.md").read_text()
    lines = next(block for block in re.findall(r"```python\n(.*?)```", readme, re.S) if "alrnn_gpu.ALRNN" in block)
    less = '**{**alrnn_gpu.robust(X), "epochs": 20, "polish": 2, "eval_every": 22}'
    short = lines.replace("**alrnn_gpu.robust(X)", less)
    assert short != lines
    run(["-c", f"{short}\nassert free.shape == (10_001, 3), free.shape"], PYTHON.parent)
