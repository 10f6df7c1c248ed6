"""The first day with a card: what benches/hardware.sh runs.

    benches/hardware.sh --pack                 where there is a toolchain: builds both binaries into target/hardware/
    benches/hardware.sh [--out section.md]     where there is a card: no toolchain, no network
    benches/hardware.sh --small                the same on a software driver, with small sizes, to try it

In this order: is there an adapter; golden cases in all forms (`selftest`) and the tests of tests/vulkan on it; the time of
every kernel, all forms, on four published shapes; a generation of polishing; the time of whole optimiser steps with 1 … 4,096 models; the same step in
JAX, where that is installed (--peer names its Python). All of it keeps within --budget seconds: what would not fit is named
as not run. Exit status 1 if parity fails, which ends it; 2 if there is nothing to run on.

Times of whole steps are the difference of two `train` runs, so that start-up and scoring cancel. "share of peak" counts the
multiply-adds of the plain recursion, 3 S T M^2 a member-step, against the card's single-precision peak (a list below, or
--peak); the almost-linear form, blocked and fused, needs fewer than are counted.
"""

import argparse
import array
import datetime
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import peers
from peers import ROOT, SHAPES, S

PACK = ROOT / "target" / "hardware"
# The published shapes: columns of data to make up, and what multiply-adds are counted by; S 16, P, tau and noise by the preset.
PUBLISHED = SHAPES | {"eeg": dict(N=64, M=133, T=100)}
FORMS = ("plain", "blocked", "fused")
# Others are computed in the blocked form where the fused one is asked for.
FUSED = ("lorenz63",)
# Single-precision TFLOP/s without matrix units, by the makers' data sheets; the first name that is part of the adapter's.
PEAKS = {
    "H100 PCIe": 51.2, "H100 NVL": 60.0, "H100": 66.9, "H200": 66.9, "A100": 19.5, "L40S": 91.6, "L4": 30.3, "A10": 31.2, "T4": 8.1, "V100": 15.7,
    "RTX 5090": 104.8, "RTX 4090": 82.6, "RTX 4080": 48.7, "RTX 3090": 35.6, "RTX 3080": 29.8, "MI300X": 163.4, "MI250": 45.3, "7900 XTX": 61.4,
}  # fmt: skip
GOALS = {512: "≤ 0.4", 4096: "≤ 0.30 plain, ≤ 0.22 fused"}


class Refused(Exception):
    """A step that went wrong, or did not fit."""


def stop(message):
    """Ends the program where there is nothing to run on."""
    print(f"hardware.sh: {message}", file=sys.stderr)
    sys.exit(2)


class Session:
    """What is left of the budget, and what has been found so far."""

    def __init__(self, args):
        self.args = args
        self.end = time.monotonic() + args.budget
        self.lines, self.missing = [], []

    def left(self):
        return self.end - time.monotonic()

    def say(self, *lines):
        for line in lines:
            print(line, flush=True)
        self.lines += lines

    def skip(self, what, why):
        self.missing.append(f"{what}: {why}")
        print(f"NOT RUN: {what}: {why}", flush=True)

    def run(self, command, most=None, env=None):
        """Output of a command, which may take `most` seconds and what is left of the budget."""
        limit = min(self.left(), most or self.left())
        if limit < 1:
            raise Refused("no time left")
        command = [str(part) for part in command]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit, cwd=ROOT, env=dict(os.environ, **(env or {})))
        except subprocess.TimeoutExpired:
            raise Refused(f"not finished in {limit:.0f} s") from None
        except OSError as error:
            raise Refused(str(error)) from None
        if done.returncode:
            lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
            # What this tool says of itself goes before what a driver says around it.
            said = [line for line in lines if line.startswith("error: ")] or lines
            raise Refused(said[-1] + (f"\n{done.stdout}" if done.stdout else ""))
        return done.stdout

    def tool(self, *command, most=None):
        device = ["--device", self.device] if self.device else []
        return self.run([self.args.binary, *command, "--backend", "gpu", *device], most)


def table(header, rows):
    line = lambda cells: "| " + " | ".join(map(str, cells)) + " |"
    return [line(header), line(["---"] * len(header)), *map(line, rows), ""]


def figures(value, digits=3):
    """A number with so many digits that mean something."""
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"


def waves(path, rows, columns):
    """Data whose values do not matter: a float32 .npy file of sums of sines."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    values = array.array("f", (math.sin(t * (0.01 + 0.04 * c / columns)) + 0.3 * math.sin(t * 0.037 + c) for t in range(rows) for c in range(columns)))
    if sys.byteorder == "big":
        values.byteswap()
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + values.tobytes())


def adapter(session):
    """Name of the adapter in use, and whether it is software; ends the program where there is none."""
    wanted = session.args.device
    session.device = wanted
    listed = session.run([session.args.binary, "devices"], 60)
    rows = [line for line in listed.splitlines() if re.match(r"\d+ ", line)]
    found = lambda row: (wanted is None and not session.args.small and " software " not in row) or (
        wanted is not None and (row.split()[0] == wanted or wanted.lower() in row.lower())
    )
    chosen = next(filter(found, rows), rows[0] if rows and session.args.small and wanted is None else None)
    if chosen is None:
        stop(f"no adapter to run on; these are there:\n{listed}")
    number, name = re.match(r"(\d+)\s+(.*?)\s{2,}", chosen + "  ").groups()
    is_software = bool(re.search(r"\bsoftware\b", chosen))
    session.device = number
    return re.sub(r"\s+(discrete|integrated|virtual|software|other)\b.*", "", name), is_software


def selftest(session):
    out = session.tool("selftest", "--cases", ROOT / "tests" / "golden", most=120)
    rows = [line.split() for line in out.splitlines() if line.endswith(" ok")]
    worst = {form: max((float(v) for row in rows if row[1] == form for v in row[2:-1]), default=None) for form in FORMS}
    if None in worst.values():
        raise Refused(f"no case was computed\n{out}")
    shown = ", ".join(f"{form} {worst[form]:.1e}" for form in FORMS)
    session.say(f"Golden cases (`selftest`): {len(rows)} passed; largest relative error: {shown} (allowed 1e-4).", "")


def vulkan(session):
    """The test binary of tests/vulkan; in small runs its golden cases alone."""
    tests = session.args.tests
    if tests is None or not tests.exists():
        return session.skip("tests of tests/vulkan", f"{tests or PACK / 'vulkan'} is not there; `benches/hardware.sh --pack` builds it")
    env = dict(CARGO_MANIFEST_DIR=str(ROOT), ALRNN_BINARY=str(session.args.binary), ALRNN_REQUIRE_GPU="1", ALRNN_DEVICE=session.device)
    try:
        out = session.run([tests, *(["golden"] if session.args.small else [])], max(30, 0.4 * session.args.budget), env)
    except Refused as why:
        if str(why).startswith(("not finished", "no time")):
            return session.skip("tests of tests/vulkan", str(why))
        raise
    result = re.search(r"test result: ok\. (\d+) passed; \d+ failed; (\d+) ignored", out)
    if not result or result[2] != "0" or result[1] == "0":
        raise Refused(f"tests/vulkan did not run as a whole\n{out}")
    part = " (small: its golden cases alone)" if session.args.small else ""
    session.say(f"Tests of `tests/vulkan`: {result[1]} passed{part}.", "")


def flags(session, shape, members, form):
    return ["--preset", shape, "--seeds", members, "--form", form, *(["--batches-per-epoch", 2] if session.args.small else [])]


def work(shape):
    """Operations of a member-step: multiply-adds of the plain recursion, twice."""
    M, T = (PUBLISHED[shape][key] for key in "MT")
    return 2 * 3 * S * T * M**2


def share(session, operations):
    return f"{100 * operations / session.peak:.1f} %" if session.peak else "-"


def profiles(session, folder):
    members = 2 if session.args.small else 512
    rows, sums = [], {}
    for shape in PUBLISHED:
        data = folder / f"{shape}.npy"
        waves(data, 2000, PUBLISHED[shape]["N"])
        for form in FORMS:
            if form == "fused" and shape not in FUSED:
                continue
            what = f"kernels of {shape}, {form}"
            if session.left() < 0.4 * session.args.budget:
                session.skip(what, "the rest of the time is for whole steps")
                continue
            try:
                out = session.tool("train", "--data", data, "--profile", *flags(session, shape, members, form), most=90)
            except Refused as why:
                session.skip(what, str(why).splitlines()[0])
                continue
            kernels = re.findall(r"^(\S+) +(\S+) +(\S+) %$", out, re.M)
            (total,) = re.findall(r"^all +(\S+)", out, re.M)
            sums[shape, form] = float(total)
            shown = ", ".join(f"{name} {figures(float(us))} ({part} %)" for name, us, part in kernels)
            rows.append((shape, form, figures(float(total)), share(session, work(shape) * 1e6 / float(total)), shown))
    session.say(f"Kernels by the device's clock (`train --profile`), {members} models, µs a member-step:", "")
    session.say(*table(["shape", "form", "µs a member-step", "share of peak", "of which"], rows))
    pays = [(s, form) for s, form in sums if form != "plain" and (s, "plain") in sums]
    ratios = ", ".join(f"{s} {form} {sums[s, 'plain'] / sums[s, form]:.2f}" for s, form in pays)
    if ratios:
        session.say(f"Plain over the almost-linear form (above 1 it pays): {ratios}.", "")


def step(session, folder, members, form):
    """Seconds an optimiser step of this many models takes."""
    batches, enough = (2, 1.0) if session.args.small else (peers.BATCHES, 1.5)
    data, short, longest = folder / "lorenz63.npy", 2, 2000

    def train(epochs):
        start = time.perf_counter()
        with tempfile.TemporaryDirectory(dir=folder) as out:
            command = ["--data", data, "--out", f"{out}/run", "--epochs", epochs, "--eval-every", 10**6]
            session.tool("train", *command, *flags(session, "lorenz63", members, form))
        return time.perf_counter() - start

    train(1)  # drivers keep what they have compiled
    before, more = train(short), 2
    while True:
        took = train(short + more) - before
        if took >= enough or more == longest:
            return took / (more * batches)
        more = min(longest, more * min(20, math.ceil(1.5 * enough / max(took, 0.05 * enough))))


def jax(session, folder, members):
    """Seconds of the same step in JAX and its name, or why there are none."""
    job = json.dumps(["jax", SHAPES["lorenz63"], members, 4 if session.args.small else peers.BATCHES, str(folder / "lorenz63.npy")])
    env = dict(PEER_BACKEND="gpu", XLA_PYTHON_CLIENT_PREALLOCATE="false")
    out = session.run([session.args.peer, ROOT / "benches" / "peers.py", "--peer", job], 120, env)
    seconds, label = json.loads(out.splitlines()[-1])
    if label.endswith("(cpu)") and not session.args.small:
        raise Refused(f"{label}: this JAX does not reach the card")
    return seconds, label


def by_members(session, folder):
    rows, spent, without_jax = [], 0.0, None
    for members in [1, 2, 4] if session.args.small else [1, 8, 64, 512, 4096]:
        times = {}
        for what in (*FORMS, "JAX"):
            name = f"Lorenz-63, {members} models, {what}"
            if what == "JAX" and without_jax:
                continue
            if session.left() < max(1, 2 * spent):
                session.skip(name, f"{max(0, session.left()):.0f} s left, about {2 * spent:.0f} s needed" if spent else "no time left")
                continue
            start = time.monotonic()
            try:
                seconds, label = jax(session, folder, members) if what == "JAX" else (step(session, folder, members, what), what)
                if seconds <= 0:
                    raise Refused("the longer run was not longer: too short for the clock")
                times[label] = 1e6 * seconds / members
            except Refused as why:
                session.skip(name, str(why).splitlines()[0])
                if what == "JAX" and re.search("No module|does not reach", str(why)):
                    without_jax = str(why)
            spent = max(spent, time.monotonic() - start)
        best = min((us for label, us in times.items() if label in FORMS), default=None)
        for label, us in times.items():
            what = f"alrnn-gpu, {label}" if label in FORMS else label
            cells = [figures(us), share(session, work("lorenz63") * 1e6 / us), f"{us / best:.2f}" if best else "-"]
            rows.append((members, what, *cells, GOALS.get(members, "") if label in FORMS else ""))
    session.say("Whole optimiser steps of the Lorenz-63 shape (sampling, noise and update included):", "")
    header = ["models", "what", "µs a member-step", "share of peak", "times this tool's best", "aimed at (H100)"]
    session.say(*table(header, rows))
    if without_jax:
        session.say(f"**JAX was not timed**: {without_jax} ({session.args.peer}).", "")


def polishing(session, folder):
    """A generation of many models: 24 free runs of 20,480 steps each, and what is seen of them."""
    rows = []
    for members in [1] if session.args.small else [8, 64, 512]:
        what = f"polishing of {members} models"

        def train(generations):
            start = time.perf_counter()
            with tempfile.TemporaryDirectory(dir=folder) as out:
                command = ["--data", folder / "lorenz63.npy", "--out", f"{out}/run", "--epochs", 1, "--eval-every", 10**6]
                session.tool("train", *command, "--polish", generations, *flags(session, "lorenz63", members, "plain"))
            return time.perf_counter() - start

        if session.left() < 60:
            session.skip(what, f"{max(0, session.left()):.0f} s left, about 60 s needed")
            continue
        # Models are judged forty times on the way, after every generation where there are fewer: the difference of 40 and 50 has
        # none of that. A software driver takes seconds a generation, beside which a judgement is nothing.
        few, more = (1, 2) if session.args.small else (40, 10)
        try:
            train(1)  # compiles
            seconds = (train(few + more) - train(few)) / more
        except Refused as why:
            session.skip(what, str(why).splitlines()[0])
            continue
        if seconds > 0:
            steps = members * 24 * 20_480 / seconds
            rows.append((members, figures(1e3 * seconds), figures(1e3 * seconds / members), f"{steps / 1e6:.3g} million"))
        else:
            session.skip(what, "the longer run was not longer: too short for the clock")
    if rows:
        session.say("Polishing on the device (Lorenz-63 shape; a core of a processor: 45 ms a generation of a model, 11 million steps a second):", "")
        session.say(*table(["models", "ms a generation", "ms a model", "steps of free runs a second"], rows))


def measure(session):
    args = session.args
    name, is_software = adapter(session)
    args.small = args.small or is_software
    peak = args.peak or next((tflops for part, tflops in PEAKS.items() if part.lower() in name.lower()), None)
    session.peak = None if is_software or peak is None else peak * 1e12
    session.say(f"### {name}, {datetime.date.today().isoformat()}", "")
    if is_software:
        session.say("**A software driver, with small sizes: a trial of this script. The times say nothing of any GPU.**", "")
    elif session.peak:
        session.say(f"Peak: {peak:g} TFLOP/s in single precision, by the maker.", "")
    else:
        session.say("The card's peak is not known here: --peak TFLOPS gives it.", "")
    try:
        selftest(session)
        vulkan(session)
    except Refused as why:
        session.say("**Parity failed:**", "", "```", str(why).strip(), "```", "")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        profiles(session, pathlib.Path(folder))
        polishing(session, pathlib.Path(folder))
        by_members(session, pathlib.Path(folder))
    if session.missing:
        session.say("Not run:", "", *(f"- {line}" for line in session.missing), "")
    session.say(f"`benches/hardware.sh`, {args.budget - session.left():.0f} of {args.budget} seconds.")
    return 0


def pack():
    """Builds both binaries and puts them where this looks for them."""
    cargo = ["cargo", "build", "--locked", "--release"]
    subprocess.run(cargo, cwd=ROOT, check=True)
    tests = ["cargo", "test", "--locked", "--release", "--test", "vulkan", "--no-run", "--message-format", "json"]
    built = subprocess.run(tests, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    artifacts = [json.loads(line) for line in built.splitlines() if line.startswith("{")]
    (binary,) = [a["executable"] for a in artifacts if a.get("executable") and a["target"]["name"] == "vulkan"]
    PACK.mkdir(parents=True, exist_ok=True)
    for source, name in ((peers.BINARY, "alrnn-gpu"), (binary, "vulkan")):
        shutil.copy2(source, PACK / name)
    print(f"{PACK}: alrnn-gpu and vulkan; take the whole checkout along")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    packed = lambda name: PACK / name if (PACK / name).exists() else None
    parser.add_argument("--pack", action="store_true", help="build what the machine with the card needs, and stop")
    parser.add_argument("--binary", type=pathlib.Path, default=packed("alrnn-gpu") or peers.BINARY)
    parser.add_argument("--tests", type=pathlib.Path, default=packed("vulkan"), help="test binary of tests/vulkan")
    parser.add_argument("--device", help="adapter, by its number or a part of its name (default: the first that is no software)")
    parser.add_argument("--peer", default=sys.executable, help="a Python that has jax and optax")
    parser.add_argument("--peak", type=float, help="single-precision TFLOP/s of the card")
    parser.add_argument("--budget", type=float, default=540, help="seconds for everything")
    parser.add_argument("--small", action="store_true", help="small sizes, and a software driver will do")
    parser.add_argument("--out", type=pathlib.Path, help="file for the section, which is printed anyway")
    args = parser.parse_args()
    if args.pack:
        return pack()
    if not args.binary.exists():
        stop(f"{args.binary} is missing: benches/hardware.sh --pack where there is a toolchain, or --binary")
    session = Session(args)
    try:
        code = measure(session)
    except Refused as why:
        stop(why)
    if args.out:
        args.out.write_text("\n".join(session.lines) + "\n", encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
