"""Times alrnn-gpu and an AL-RNN training step in JAX and in PyTorch, on this machine, one after another.

    python benches/peers.py [--backend cpu|gpu] [--threads N] [--shapes lorenz63,ecg,lorenz96] [--members 1,8]

Needs the release binary (cargo build --release) and numpy. jax with optax and torch are timed where they are installed;
where one is not, its row says so. Both train several models as one batch (vmap, batched matrix products).
Every number is the time of one optimiser step with sampling, noise, forward, backward and update included. For this
tool it is the difference of two whole `train` runs of different length, so start-up and scoring cancel; medians of
--repeats. "share of peak" counts the multiply-adds of the plain recursion, 3 S T M^2 a step, against the machine's own
best single-precision matrix product (numpy) with as many threads as there are models to spread over them (CPU only);
the blocked form needs fewer multiply-adds than are counted, and a model alone may use more threads, so it can pass 100 %.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "alrnn-gpu"
SHAPES = {  # the published settings: system to simulate (or make up), N, M, P, T, tau, noise
    "lorenz63": dict(system="lorenz63", N=3, M=20, P=2, T=200, tau=16, noise=0.05),
    "ecg": dict(system=None, N=5, M=100, P=2, T=50, tau=10, noise=0.01),
    "lorenz96": dict(system="lorenz96", N=20, M=100, P=50, T=50, tau=20, noise=0.05),
}
S = 16
BATCHES = 50  # optimiser steps an epoch


def write_data(shape, path):
    if shape["system"]:
        subprocess.run([BINARY, "simulate", shape["system"], "--steps", "20000", "--out", path], check=True, stderr=subprocess.DEVNULL)
    else:  # speed does not depend on the values: sums of sines
        import numpy as np

        t = np.arange(20000)[:, None] * np.linspace(0.01, 0.05, shape["N"])
        np.save(path, np.sin(t).astype("float32"))


def tool(shape, members, form, args, data):
    """Seconds an optimiser step of the whole ensemble, by this tool."""
    short, long = args.epochs
    def run(epochs, out):
        command = [BINARY, "train", "--preset", "lorenz63", "--data", data, "--out", out, "--seeds", str(members), "--epochs", str(epochs),
                   "--eval-every", str(10 * long), "--form", form, "--backend", args.backend, "--threads", str(args.threads)]
        for key in ("M", "P", "T", "tau", "noise"):
            command += [f"--{key}", str(shape[key])]
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - start

    times = []
    with tempfile.TemporaryDirectory() as folder:
        for repeat in range(args.repeats):
            a, b = run(short, f"{folder}/a{repeat}"), run(long, f"{folder}/b{repeat}")
            times.append((b - a) / ((long - short) * BATCHES))
    return statistics.median(times)


def peer_jax(shape, members, steps, data):
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax

    x_all = jnp.asarray(np.load(data), jnp.float32)
    N, M, P, T, tau = (shape[key] for key in ("N", "M", "P", "T", "tau"))

    def init(key):
        a, b, c = jax.random.split(key, 3)
        R = jax.random.normal(a, (M, M))
        K = R.T @ R / M + jnp.eye(M)
        return {
            "A": jnp.diag(K / jnp.linalg.norm(K, 2)),
            "W": 0.01 * jax.random.normal(b, (M, M)),
            "h": jnp.zeros(M),
            "L": jax.random.uniform(c, (M - N, N), minval=-1, maxval=1) * (6 / M) ** 0.5,
        }

    def loss(theta, x):
        x = x.swapaxes(0, 1)
        start = jnp.concatenate([x[0], x[0] @ theta["L"].T], 1)

        def step(z, inputs):
            t, now, target = inputs
            forced = (t > 0) & (t % tau == 0)
            z = jnp.where(forced, jnp.concatenate([now, z[:, N:]], 1), z)
            phi = jnp.concatenate([z[:, : M - P], jax.nn.relu(z[:, M - P :])], 1)
            z = theta["A"] * z + phi @ theta["W"].T + theta["h"]
            return z, jnp.mean((z[:, :N] - target) ** 2)

        return jax.lax.scan(step, start, (jnp.arange(T), x[:-1], x[1:]))[1].mean()

    optimizer = optax.radam(1e-3)

    def update(theta, state, key):
        a, b = jax.random.split(key)
        rows = jax.random.randint(a, (S,), 0, x_all.shape[0] - T)
        x = x_all[rows[:, None] + jnp.arange(T + 1)]
        x = x + shape["noise"] * jax.random.normal(b, x.shape)
        change, state = optimizer.update(jax.grad(loss)(theta, x), state, theta)
        return optax.apply_updates(theta, change), state

    @jax.jit
    def epoch(theta, state, key):
        def body(carry, key):
            return jax.vmap(update)(*carry, jax.random.split(key, members)), None

        return jax.lax.scan(body, (theta, state), jax.random.split(key, steps))[0]

    theta = jax.vmap(init)(jax.random.split(jax.random.key(0), members))
    state = jax.vmap(optimizer.init)(theta)
    theta, state = jax.block_until_ready(epoch(theta, state, jax.random.key(1)))  # compiles
    times = []
    for repeat in range(5):
        start = time.perf_counter()
        theta, state = jax.block_until_ready(epoch(theta, state, jax.random.key(2 + repeat)))
        times.append((time.perf_counter() - start) / steps)
    return statistics.median(times), f"JAX {jax.__version__} ({jax.default_backend()})"


def peer_torch(shape, members, steps, data):
    import numpy as np
    import torch

    torch.set_num_threads(int(os.environ["PEER_THREADS"]))
    on_gpu = torch.cuda.is_available() and os.environ["PEER_BACKEND"] == "gpu"
    device = "cuda" if on_gpu else "cpu"
    x_all = torch.tensor(np.load(data), dtype=torch.float32, device=device)
    N, M, P, T, tau = (shape[key] for key in ("N", "M", "P", "T", "tau"))
    E = members
    make = lambda *size: torch.nn.Parameter(0.01 * torch.randn(E, *size, device=device))
    A, W, h, L = make(1, M), make(M, M), make(1, M), make(M - N, N)
    optimizer = torch.optim.RAdam([A, W, h, L], lr=1e-3)
    window = torch.arange(T + 1, device=device)

    def step():
        rows = torch.randint(0, x_all.shape[0] - T, (E, S), device=device)
        x = x_all[rows[..., None] + window].movedim(2, 0)  # [T+1, E, S, N]
        x = x + shape["noise"] * torch.randn_like(x)
        WT = W.mT
        z = torch.cat([x[0], x[0] @ L.mT], -1)
        outputs = []
        for t in range(T):
            if t > 0 and t % tau == 0:
                z = torch.cat([x[t], z[..., N:]], -1)
            phi = torch.cat([z[..., : M - P], torch.relu(z[..., M - P :])], -1)
            z = A * z + torch.baddbmm(h, phi, WT)
            outputs.append(z[..., :N])
        loss = ((torch.stack(outputs) - x[1:]) ** 2).mean((0, 2, 3)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    step()
    times = []
    for _ in range(max(5, steps // 10)):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times), f"PyTorch {torch.__version__} ({device})"


def run_peer(name, shape, members, args, data):
    """Runs a peer in a process of its own, with the same number of threads: seconds a step and its name, or why not."""
    env = dict(os.environ, PEER_THREADS=str(args.threads), PEER_BACKEND=args.backend, OMP_NUM_THREADS=str(args.threads))
    if args.backend == "cpu":
        env["JAX_PLATFORMS"] = "cpu"
    if args.threads == 1:
        env["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    job = json.dumps([name, shape, members, args.steps, data])
    done = subprocess.run([sys.executable, __file__, "--peer", job], env=env, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return None, f"{name}: not timed ({reason})"
    return json.loads(done.stdout.splitlines()[-1])


def peak_flops(threads):
    code = (
        "import numpy as np, time\n"
        "a = np.random.rand(1536, 1536).astype('float32'); a @ a; best = 9e9\n"
        "for _ in range(12):\n    t = time.perf_counter(); a @ a; best = min(best, time.perf_counter() - t)\n"
        "print(2 * 1536**3 / best)"
    )
    env = dict(os.environ, OPENBLAS_NUM_THREADS=str(threads), OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    for override in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # would measure another processor's kernels
        env.pop(override, None)
    return float(subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="cpu", choices=["cpu", "gpu"])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--shapes", default="lorenz63,ecg,lorenz96")
    parser.add_argument("--members", default="1,8")
    parser.add_argument("--steps", type=int, default=50, help="optimiser steps a timed repeat of a peer")
    parser.add_argument("--epochs", type=lambda s: tuple(map(int, s.split(","))), default=(4, 44))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        name, *job = json.loads(args.peer)
        print(json.dumps({"jax": peer_jax, "torch": peer_torch}[name](*job)))
        return
    if not BINARY.exists():
        sys.exit(f"{BINARY} is missing: cargo build --release")
    if not importlib.util.find_spec("numpy"):
        sys.exit(f"{sys.executable} has no numpy: pip install numpy jax optax torch")

    forms = ["plain", "blocked"]
    peaks = {n: peak_flops(n) for n in {1, args.threads}} if args.backend == "cpu" else {}
    for threads, peak in sorted(peaks.items()):
        print(f"matrix product on {threads} thread(s): {peak / 1e9:.0f} GFLOP/s")
    print()
    print("| shape | models | what | us a member-step | share of peak | times slower than this tool's best |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for name in args.shapes.split(","):
            shape = SHAPES[name]
            data = f"{folder}/{name}.npy"
            write_data(shape, data)
            for members in map(int, args.members.split(",")):
                rows = [(f"alrnn-gpu, {args.backend}, {form}", tool(shape, members, form, args, data)) for form in forms]
                best = min(seconds for _, seconds in rows)
                for peer in ("jax", "torch"):
                    seconds, what = run_peer(peer, shape, members, args, data)
                    rows.append((what, seconds))
                peak = peaks.get(min(members, args.threads), peaks.get(args.threads))
                work = 2 * 3 * S * shape["T"] * shape["M"] ** 2 * members
                for what, seconds in rows:
                    if seconds is None:
                        print(f"| {name} | {members} | {what} | - | - | - |", flush=True)
                        continue
                    share = f"{100 * work / seconds / peak:.1f} %" if peak else "-"
                    print(f"| {name} | {members} | {what} | {1e6 * seconds / members:.1f} | {share} | {seconds / best:.1f} |", flush=True)


if __name__ == "__main__":
    main()
