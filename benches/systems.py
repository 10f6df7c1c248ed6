"""Reconstructs the chaotic systems of the Python package dysts (Gilpin, NeurIPS Datasets 2021): do the settings that `train`
chooses carry over to systems that nobody tuned them on?

    pip install "dysts[numba]"
    python benches/systems.py --out systems            # all but the tuning systems; an hour or two on two cores
    python benches/systems.py --out systems --table    # what is there so far

Every system is integrated on the spot with the package's equations, parameters and start (100 rows a dominant period): one
record to train on, the stretch after it to score on. Both recipes do the same work, counted in multiply-adds of the plain
recursion: a quarter of the published epochs, or a sixteenth of them and then generations of polishing. What is done is kept
in results.csv, and a second call goes on from there.

Systems with a delay are left out (their state is not the record), and those whose integration fails are named.
"""

import argparse
import csv
import json
import math
import multiprocessing
import shutil
import subprocess
import sys
import time
import tomllib
import warnings
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import numpy as np

# The only systems that choices were made on (`data/lorenz.npy` and `simulate rossler` are other records of two of them).
TUNING = ["Lorenz", "Rossler"]
ROWS = 20_000
PERIOD = 100
# The published work is 2,000 epochs of 50 batches of 16 windows of 200 steps, at 3 products a step. A generation is 24
# candidates of 20,480 steps, 10,240 tangents and 256 forecasts of 20 steps, at 1 each.
EPOCHS, BATCHES, WINDOWS, T = 2000, 50, 16, 200
GENERATION = 24 * (20_480 + 10_240 + 256 * 20)
# Seconds after which an integration is given up (StickSlipOscillator takes more than a quarter of an hour).
PATIENCE = 300
FIELDS = ["system", "recipe", "seed", "N", "floor", "D_stsp", "D_H", "PE", "roughness", "verdict", "exponent", "known", "seconds"]


def recipes(share):
    """Flags of both recipes, for this share of the published work."""
    epochs = round(EPOCHS * share)
    first = max(1, round(epochs / 4))
    left = 3 * (epochs - first) * BATCHES * WINDOWS * T
    return {
        "published": ["--preset", "lorenz63", "--standardize", "--epochs", str(epochs)],
        "robust": ["--epochs", str(first), "--polish", str(round(left / GENERATION))],
    }


def systems():
    """Names and classes of all systems without a delay."""
    warnings.filterwarnings("ignore")
    import dysts.flows as flows
    from dysts.base import DATAPATH_CONTINUOUS

    known = json.loads(Path(DATAPATH_CONTINUOUS).read_text())
    return {name: getattr(flows, name) for name in sorted(known) if not known[name].get("delay") and hasattr(flows, name)}


def integrate(name, folder):
    """Writes the training and the held-out record of a system, and its largest exponent per row; nothing where it fails."""
    system = systems()[name]()
    x = system.make_trajectory(2 * ROWS + 1000, pts_per_period=PERIOD, method="LSODA", rtol=1e-9, atol=1e-9)
    if x is None or not np.isfinite(x).all():
        return
    x = np.atleast_2d(np.asarray(x, dtype=np.float64))[1000:]
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "train.npy", x[:ROWS])
    np.save(folder / "test.npy", x[ROWS:])
    dt = system.period / PERIOD
    known = system.maximum_lyapunov_estimated
    np.savez(folder / "records.npz", known=math.nan if known is None else float(np.ravel(known)[0]) * dt)


def records(name, folder):
    """Has `integrate` write the records unless they are there; the exponent, `None` where there are none."""
    file = folder / "records.npz"
    if not file.exists():
        # A process can be stopped.
        work = multiprocessing.get_context("spawn").Process(target=integrate, args=(name, folder), daemon=True)
        work.start()
        work.join(PATIENCE)
        work.kill()
        work.join()
    return float(np.load(file)["known"]) if file.exists() else None


def run(binary, folder, recipe, flags, seed, known, name):
    """Trains, scores and analyses one model; a row of results.csv."""
    out = folder / f"{recipe}-{seed}"
    shutil.rmtree(out, ignore_errors=True)  # of a call that was stopped
    begun = time.monotonic()
    call = [binary, "train", "--data", folder / "train.npy", "--test", folder / "test.npy", "--M", "30", "--P", "10"]
    call += ["--seeds", f"{seed},", "--eval-every", "100000", "--backend", "cpu", "--threads", "1", "--out", out, *flags]
    done = subprocess.run([str(word) for word in call], capture_output=True, text=True)
    row = {"system": name, "recipe": recipe, "seed": seed, "known": known, "seconds": round(time.monotonic() - begun, 1)}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["?"])[-1]
        print(f"{name} {recipe}: {last}", file=sys.stderr)
        return row | {"verdict": "diverged"}
    record = tomllib.loads((out / "config.toml").read_text())["run"]
    with open(out / "members.csv") as file:
        member = next(csv.DictReader(file))
    analysis = folder / f"{recipe}-{seed}-analysis"
    call = [binary, "analyze", out / "last" / "m000.npz", "--out", analysis, "--json"]
    analysed = subprocess.run([str(word) for word in call], capture_output=True, text=True)
    # A run that leaves all bounds has no spectrum.
    spectrum = json.loads(analysed.stdout)["lyapunov"] if analysed.returncode == 0 else None
    exponents = spectrum["spectrum"] if spectrum else [math.nan]
    return row | {
        "N": record["data"]["N"],
        "floor": record["noise-floor"]["D_stsp"],
        "D_stsp": member["last_D_stsp"],
        "D_H": member["last_D_H"],
        "PE": member["PE"],
        "roughness": member["roughness"],
        "verdict": member["verdict"],
        "exponent": exponents[0],
    }


def number(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return math.nan


def table(rows):
    """Shares and a paired test, as Markdown."""
    of = {(r["system"], r["recipe"], r["seed"]): r for r in rows}
    pairs = sorted({(s, seed) for s, _, seed in of})
    pairs = [p for p in pairs if all((p[0], recipe, p[1]) in of for recipe in ("published", "robust"))]
    lines = ["| recipe | models | D_stsp ≤ 2 × floor | exponent within 20 % | both | alive | median D_stsp / floor | median D_H |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- | --- |")
    ratios = {}
    for recipe in ("published", "robust"):
        chosen = [of[s, recipe, seed] for s, seed in pairs]
        ratio = [number(r["D_stsp"]) / number(r["floor"]) for r in chosen]
        ratios[recipe] = [r if r == r else math.inf for r in ratio]
        near = [r <= 2 for r in ratio]
        right = [abs(number(r["exponent"]) / number(r["known"]) - 1) <= 0.2 for r in chosen]
        share = lambda hits: f"{sum(hits)} ({100 * sum(hits) / max(1, len(hits)):.0f} %)"
        alive = [r["verdict"] == "alive" for r in chosen]
        both = [a and b for a, b in zip(near, right)]
        heads = np.nanmedian([number(r["D_H"]) for r in chosen]) if chosen else math.nan
        lines.append(f"| {recipe} | {len(chosen)} | {share(near)} | {share(right)} | {share(both)} | {share(alive)} | {np.median(ratios[recipe] or [math.nan]):.2f} | {heads:.3f} |")
    if len(pairs) > 5:
        from scipy.stats import wilcoxon

        difference = np.array(ratios["robust"]) - np.array(ratios["published"])
        difference[~np.isfinite(difference)] = np.sign(difference[~np.isfinite(difference)]) * 1e9
        difference[np.isnan(difference)] = 0
        lines.append("")
        better = int((difference < 0).sum())
        lines.append(f"{better} of {len(pairs)} models better; Wilcoxon signed-rank p = {wilcoxon(difference).pvalue:.1e}.")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--binary", default="alrnn-gpu")
    parser.add_argument("--share", type=float, default=0.25, help="of the published work [default: 0.25]")
    parser.add_argument("--seeds", type=int, default=1, help="models a system and recipe")
    parser.add_argument("--only", nargs="*", help="these systems alone")
    parser.add_argument("--tuning", action="store_true", help="the tuning systems instead")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="only show what is there")
    args = parser.parse_args()
    results = args.out / "results.csv"
    rows = list(csv.DictReader(open(results))) if results.exists() else []
    if args.table:
        print(table(rows))
        return
    args.out.mkdir(parents=True, exist_ok=True)
    chosen = [n for n in systems() if (n in TUNING) == args.tuning and (not args.only or n in args.only)]
    done = {(r["system"], r["recipe"], r["seed"]) for r in rows}

    def one(name):
        folder = args.out / name
        missing = [(recipe, seed) for recipe in recipes(args.share) for seed in range(args.seeds) if (name, recipe, str(seed)) not in done]
        if not missing:
            return []
        known = records(name, folder)
        if known is None:
            print(f"{name}: cannot be integrated, or not within {PATIENCE} seconds", file=sys.stderr)
            return []
        return [run(args.binary, folder, recipe, recipes(args.share)[recipe], seed, known, name) for recipe, seed in missing]

    with ThreadPoolExecutor(args.jobs) as pool:
        for ended in as_completed([pool.submit(one, name) for name in chosen]):
            found = ended.result()
            new = not results.exists()
            with open(results, "a", newline="") as file:
                writer = csv.DictWriter(file, FIELDS)
                if new:
                    writer.writeheader()
                writer.writerows(found)
            for row in found:
                print(*(row.get(field, "") for field in FIELDS), flush=True)
    print(table(list(csv.DictReader(open(results)))))


if __name__ == "__main__":
    main()
