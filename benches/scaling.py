"""How the CPU's cost of an optimiser step grows with the models E, the windows S and the window length T.

    python benches/scaling.py [--seconds 2] [--repeats 5]

Needs the release binary (cargo build --release). Around the Lorenz-63 shape one of E, S, T is varied. A number is the
processor time (user and system, so that waiting for a core does not count) of a `train` run on one thread less that of a
shorter one, so that start-up and scoring cancel; the least of --repeats.
"""

import argparse
import os
import subprocess
import sys
import tempfile

from peers import BATCHES, BINARY, SHAPES, write_data

SHAPE = SHAPES["lorenz63"]
BASE = dict(E=1, S=16, T=200)
VARIED = dict(E=(1, 2, 4, 8, 16), S=(16, 32, 64, 128), T=(50, 100, 200, 400))
UNITS = dict(E="model", S="window", T="predicted step")
FORMS = ("plain", "blocked")


def processor_time(command):
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    message = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(message.decode())
    return usage.ru_utime + usage.ru_stime


def step(sizes, form, args, data):
    """Seconds of processor time an optimiser step of the whole ensemble."""
    command = [BINARY, "train", "--preset", "lorenz63", "--data", data, "--seeds", sizes["E"], "--batch-size", sizes["S"], "--T", sizes["T"],
               "--form", form, "--backend", "cpu", "--threads", 1, "--eval-every", 10**6]
    for key in ("M", "P", "tau", "noise"):
        command += [f"--{key}", SHAPE[key]]
    short = 2
    with tempfile.TemporaryDirectory() as folder:
        def run(epochs, name):
            return processor_time([*map(str, command), "--epochs", str(epochs), "--out", f"{folder}/{name}"])

        expected = 80e-6 * sizes["E"] * sizes["S"] / BASE["S"] * sizes["T"] / BASE["T"]
        more = max(1, round(args.seconds / (BATCHES * expected)))
        differences = [run(short + more, f"long{i}") - run(short, f"short{i}") for i in range(args.repeats)]
    return min(differences) / (more * BATCHES)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2, help="about how long the longer run is longer")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    if not BINARY.exists():
        sys.exit(f"{BINARY} is missing: cargo build --release")

    print("| | " + " | ".join(f"{form}: us a step | us a step and unit" for form in FORMS) + " |")
    print("| --- | " + " | ".join("--- | ---" for _ in FORMS) + " |")
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/data.npy"
        write_data(SHAPE, data)
        known = {}
        for name, values in VARIED.items():
            for value in values:
                sizes = BASE | {name: value}
                cells = []
                for form in FORMS:
                    key = (form, *sizes.values())
                    if key not in known:  # the base shape is in every group
                        known[key] = 1e6 * step(sizes, form, args, data)
                    cells += [f"{known[key]:.1f}", f"{known[key] / value:#.3g}"]
                unit = UNITS[name] + ("" if value == 1 else "s")
                print(f"| {name} = {value} {unit} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
