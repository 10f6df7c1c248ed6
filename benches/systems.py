"""Reconstructs the chaotic systems of the Python package dysts (Gilpin, NeurIPS Datasets 2021): do the settings that `train`
chooses carry over to systems that nobody tuned them on?

    pip install "dysts[numba]"
    python benches/systems.py --out systems            # all but the tuning systems; an hour or two on two cores
    python benches/systems.py --out systems --table    # what is there so far

Every system is integrated on the spot with the package's equations, parameters and start (100 rows a dominant period): one
record to train on, the stretch after it to score on. Both recipes do the same work, counted in multiply-adds of the plain
recursion: a quarter of the published epochs, or a sixteenth of them and then generations of polishing. What is done is kept
in results.csv, and a second call goes on from there.

The largest exponent that models are held against is measured: the growth of a tangent vector under the equations, over the
200 periods of the training record. The package has one of its own for every system, which stands beside it; where the two
differ (its Rössler has more than twice the well-known value), no model could have both.

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

# The only systems that choices were made on (`data/lorenz.npy` and `simulate rossler` are other records of two of them); eight
# were drawn by lot.
TUNING = [
    "Lorenz", "Rossler", "AtmosphericRegime", "FluidTrampoline", "HyperLorenz", "HyperRossler", "LiuChen", "SprottF", "SprottO",
    "SprottTorus",
]
ROWS = 20_000
PERIOD = 100
# The published work is 2,000 epochs of 50 batches of 16 windows of 200 steps, at 3 products a step. A generation is 24
# candidates of 20,480 steps, 10,240 tangents and 256 forecasts of 20 steps, at 1 each.
EPOCHS, BATCHES, WINDOWS, T = 2000, 50, 16, 200
GENERATION = 24 * (20_480 + 10_240 + 256 * 20)
# Seconds after which an integration is given up (StickSlipOscillator takes more than a quarter of an hour).
PATIENCE = 300
FIELDS = ["system", "recipe", "seed", "N", "floor", "D_stsp", "D_H", "PE", "roughness", "verdict", "exponent", "measured", "error", "package", "seconds"]
# Rows before the record, in which a tangent vector turns into the direction that grows most; pieces of the record that the error
# of its growth is told from.
SETTLES, PIECES = 1000, 20


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


def tangent_growth(rhs, start, dt):
    """Largest exponent per row over the rows of the training record and its standard error, from the equations linearised along
    the trajectory (differences of the right-hand side for the Jacobian): the direction u and the logarithm of the length of
    a tangent vector are integrated. NaN where that fails."""
    from scipy.integrate import odeint

    start, n = np.asarray(start, dtype=np.float64), len(start)

    def flow(y, t):
        x, u = y[:n], y[n : 2 * n]
        step = 1e-6 * max(1e-3, np.linalg.norm(x))
        Ju = (np.asarray(rhs(x + step * u, t)) - np.asarray(rhs(x - step * u, t))) / (2 * step)
        return np.concatenate([rhs(x, t), Ju - (u @ Ju) * u, [u @ Ju]])

    times = np.linspace(SETTLES, SETTLES + ROWS, PIECES + 1) * dt
    first = np.concatenate([start, np.full(n, n**-0.5), [0]])
    y, report = odeint(flow, first, np.append(0, times), rtol=1e-7, atol=1e-8, mxstep=100_000, full_output=True)
    if report["message"] != "Integration successful.":
        return math.nan, math.nan
    growth = np.diff(y[1:, -1]) / np.diff(times) * dt
    return growth.mean(), growth.std(ddof=1) / math.sqrt(PIECES)


def integrate(name, folder):
    """Writes the training and the held-out record of a system, and its largest exponents per row; nothing where it fails."""
    system = systems()[name]()
    x = system.make_trajectory(SETTLES + 2 * ROWS, pts_per_period=PERIOD, method="LSODA", rtol=1e-9, atol=1e-9)
    if x is None or not np.isfinite(x).all():
        return
    x = np.atleast_2d(np.asarray(x, dtype=np.float64))[SETTLES:]
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "train.npy", x[:ROWS])
    np.save(folder / "test.npy", x[ROWS:])
    dt = system.period / PERIOD
    known = system.maximum_lyapunov_estimated
    # From the state itself: of some systems the record shows functions of it.
    measured, error = tangent_growth(system.rhs, system.ic, dt)
    packages = math.nan if known is None else float(np.ravel(known)[0]) * dt
    np.savez(folder / "records.npz", measured=measured, error=error, package=packages)


def records(name, folder):
    """Has `integrate` write the records unless they are there; whether they are."""
    file = folder / "records.npz"
    if not file.exists():
        # A process can be stopped.
        work = multiprocessing.get_context("spawn").Process(target=integrate, args=(name, folder), daemon=True)
        work.start()
        work.join(PATIENCE)
        work.kill()
        work.join()
    return file.exists()


def run(binary, folder, recipe, flags, seed, name):
    """Trains, scores and analyses one model; a row of results.csv."""
    out = folder / f"{recipe}-{seed}"
    shutil.rmtree(out, ignore_errors=True)  # of a call that was stopped
    begun = time.monotonic()
    call = [binary, "train", "--data", folder / "train.npy", "--test", folder / "test.npy", "--M", "30", "--P", "10"]
    call += ["--seeds", f"{seed},", "--eval-every", "100000", "--backend", "cpu", "--threads", "1", "--out", out, *flags]
    done = subprocess.run([str(word) for word in call], capture_output=True, text=True)
    row = {"system": name, "recipe": recipe, "seed": seed, "seconds": round(time.monotonic() - begun, 1)}
    row |= {which: float(value) for which, value in np.load(folder / "records.npz").items()}
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


def right(row):
    """Whether a model's exponent is within 20 % of the measured one; `None` where that is not known to 10 %."""
    measured, error = number(row["measured"]), number(row["error"])
    if not measured > 10 * error:
        return None
    return abs(number(row["exponent"]) / measured - 1) <= 0.2


def table(rows):
    """Shares, a paired test, and every system, as Markdown."""
    of = {(r["system"], r["recipe"], r["seed"]): r for r in rows}
    pairs = sorted({(s, seed) for s, _, seed in of})
    pairs = [p for p in pairs if all((p[0], recipe, p[1]) in of for recipe in ("published", "robust"))]
    told = [p for p in pairs if right(of[p[0], "robust", p[1]]) is not None]
    lines = [f"{len(pairs)} models of a recipe; in {len(told)} of them the system's exponent is measured to 10 %.", ""]
    lines.append("| recipe | D_stsp ≤ 2 × floor | exponent within 20 % | both | alive | median D_stsp / floor | median D_H |")
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    ratios = {}
    for recipe in ("published", "robust"):
        chosen = {p: of[p[0], recipe, p[1]] for p in pairs}
        ratio = {p: number(r["D_stsp"]) / number(r["floor"]) for p, r in chosen.items()}
        ratio = {p: value if value == value else math.inf for p, value in ratio.items()}
        ratios[recipe] = np.array(list(ratio.values()))
        near = [ratio[p] <= 2 for p in pairs]
        exact = [right(chosen[p]) for p in told]
        both = [right(chosen[p]) and ratio[p] <= 2 for p in told]
        alive = [r["verdict"] == "alive" for r in chosen.values()]
        share = lambda hits: f"{sum(hits)} of {len(hits)} ({100 * sum(hits) / max(1, len(hits)):.0f} %)"
        heads = np.nanmedian([number(r["D_H"]) for r in chosen.values()]) if chosen else math.nan
        middle = np.median(ratios[recipe]) if pairs else math.nan
        lines.append(f"| {recipe} | {share(near)} | {share(exact)} | {share(both)} | {share(alive)} | {middle:.2f} | {heads:.3f} |")
    if len(pairs) > 5:
        from scipy.stats import wilcoxon

        difference = ratios["robust"] - ratios["published"]
        difference[~np.isfinite(difference)] = np.sign(difference[~np.isfinite(difference)]) * 1e9
        difference[np.isnan(difference)] = 0
        lines.append("")
        better = int((difference < 0).sum())
        lines.append(f"{better} of {len(pairs)} models better; Wilcoxon signed-rank p = {wilcoxon(difference).pvalue:.1e}.")
    lines += ["", "| system | floor | published: D_stsp / D_H, exponent | robust: D_stsp / D_H, exponent | measured | dysts |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    digits = lambda text, n: f"{number(text):.{n}f}" if math.isfinite(number(text)) else "–"
    for system, seed in pairs:
        models = [of[system, recipe, seed] for recipe in ("published", "robust")]
        scores = [f"{digits(m['D_stsp'], 2)} / {digits(m['D_H'], 2)}, {digits(m['exponent'], 4)} {m['verdict']}" for m in models]
        ours = models[1]
        measured = f"{digits(ours['measured'], 4)} ± {digits(ours['error'], 4)}"
        lines.append(f"| {system} | {digits(ours['floor'], 2)} | {' | '.join(scores)} | {measured} | {digits(ours['package'], 4)} |")
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
        if not records(name, folder):
            print(f"{name}: cannot be integrated, or not within {PATIENCE} seconds", file=sys.stderr)
            return []
        return [run(args.binary, folder, recipe, recipes(args.share)[recipe], seed, name) for recipe, seed in missing]

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
