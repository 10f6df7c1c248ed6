"""What must not hurt the interpreter: interruptions, exceptions, memory, threads, forks."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from conftest import SMALL

import alrnn_gpu


def test_callbacks_hear_of_every_evaluation(lorenz, capsys):
    heard = []
    model = alrnn_gpu.ALRNN(**SMALL, seeds=2)
    model.fit(lorenz, callback=lambda epoch, scores: heard.append((epoch, scores)), progress=False)
    assert [epoch for epoch, _ in heard] == [2, 4, 6]
    assert [row["member"] for row in heard[0][1]] == ["m000", "m001"]
    assert [row for _, scores in heard for row in scores] == model.history_
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("has_tqdm", [True, False])
def test_progress(lorenz, capsys, monkeypatch, has_tqdm):
    if has_tqdm:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    alrnn_gpu.ALRNN(**SMALL).fit(lorenz, progress=True)
    text = capsys.readouterr().err
    assert "6/6" in text and "D_stsp" in text


def test_exceptions_in_callbacks_end_training(lorenz):
    def fail(epoch, scores):
        raise LookupError(f"in epoch {epoch}")

    model = alrnn_gpu.ALRNN(**{**SMALL, "epochs": 100000})
    with pytest.raises(LookupError, match="in epoch 2"):
        model.fit(lorenz, callback=fail)
    # What was trained until then is kept, and all goes on.
    assert model.generate(5).shape == (6, 3) and model.n_iter_ < 100
    model.set_params(epochs=4).fit(lorenz)
    assert model.n_iter_ == 4


INTERRUPTED = """
    import signal, sys, threading, time, warnings
    import numpy as np, alrnn_gpu
    # A shell that runs the tests in the background has them ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if {prompt}:
        sys.ps1 = ">>> "
    x = np.load(sys.argv[1])
    model = alrnn_gpu.ALRNN(**{settings}, epochs=1000000)
    started = []
    def heard(epoch, scores):
        if not started:
            started.append(epoch)
            print("training", flush=True)
    raised = False
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            model.fit(x, callback=heard, progress=False, out=sys.argv[2])
        except KeyboardInterrupt:
            raised = True
    assert raised != {prompt}, said
    assert {prompt} == any("stopped after epoch" in str(w.message) for w in said)
    assert model.generate(5).shape == (6, 3) and 0 < model.n_iter_ < 1000000
    assert alrnn_gpu.load(sys.argv[2]).best.n_features_in_ == 3
    print("usable")
"""


@pytest.mark.parametrize("prompt", [False, True])
def test_ctrl_c_keeps_the_run(lorenz, tmp_path, prompt):
    np.save(tmp_path / "x.npy", lorenz)
    settings = {name: value for name, value in SMALL.items() if name != "epochs"}
    script = textwrap.dedent(INTERRUPTED.format(prompt=prompt, settings=settings))
    command = [sys.executable, "-c", script, tmp_path / "x.npy", tmp_path / "run"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "training\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[0] == "usable\n"
    assert process.returncode == 0


def test_other_threads_go_on(lorenz):
    """The interpreter's lock is free while training: another thread counts."""
    counted = [0]
    done = threading.Event()

    def count():
        while not done.is_set():
            counted[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    before = counted[0]
    alrnn_gpu.ALRNN(**{**SMALL, "epochs": 400, "eval_every": 400}).fit(lorenz, progress=False)
    done.set()
    thread.join()
    assert counted[0] - before > 10


def resident() -> int:
    """Bytes of memory in use by this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads Linux' /proc")
def test_a_hundred_fits_leak_nothing(lorenz):
    model = alrnn_gpu.ALRNN(**{**SMALL, "epochs": 2})
    x = np.tile(lorenz, (10, 1))

    def fits(n):
        for _ in range(n):
            model.fit(x).predict(x)
        return resident()

    before = fits(20)
    grown = fits(100) - before
    print(f"\nmemory after 20 fits {before / 2**20:.1f} MiB, after 100 more {grown / 2**20:+.1f} MiB")
    # The data alone are 0.23 MiB a fit in double precision.
    assert grown < 8 * 2**20


def in_a_fork(queue, x):
    try:
        alrnn_gpu.ALRNN(**SMALL).fit(x)
    except RuntimeError as error:
        queue.put(str(error))
    else:
        queue.put("trained")


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_is_told_and_does_not_hang(lorenz, trained):
    for method, answer in (("fork", "forked"), ("spawn", "trained")):
        context = multiprocessing.get_context(method)
        queue = context.Queue()
        process = context.Process(target=in_a_fork, args=(queue, lorenz))
        process.start()
        assert answer in queue.get(timeout=60)
        process.join()


def test_nothing_is_imported_that_is_optional():
    script = (
        "import sys, alrnn_gpu; "
        "print([m for m in ('torch', 'sklearn', 'pandas', 'xarray', 'tqdm', 'networkx') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
