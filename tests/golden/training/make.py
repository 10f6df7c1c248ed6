"""Training curves from outside: JAX's automatic differentiation and Optax's optimisers, in f64.

    pip install "jax[cpu]" optax && python3 tests/golden/training/make.py

The data have T + 1 rows and no noise is added, so that there is one window and no random number: a curve can be held
against any implementation. Each `.npz` holds the data `x[T+1,N]` (NaN where nothing was observed) and `s[T+1,K]`,
`meta = [M,N,P,K,S,T,tau,epochs,batches]`, `settings = [alpha,start_lr,end_lr,lambda_lat,lambda_obs,clip]` (0 for no
clipping), `adam` (1, or 0 for RAdam), and what training came to: `theta[epochs+1,A|W|h|L|C]` before the first and after
each epoch, `loss[epochs,batches]`. Data, inputs and the first parameters are numbers that f32 holds.
"""
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import optax

jax.config.update("jax_enable_x64", True)
HERE = pathlib.Path(__file__).parent


def f32(a):
    return np.asarray(a, np.float32).astype(np.float64)


def parameters(rng, M, N, K):
    """Parameters large enough for ReLU units to switch within a window."""
    return dict(
        A=f32(rng.uniform(0.3, 0.9, M)),
        W=f32(rng.normal(0, 0.4 / np.sqrt(M), (M, M))),
        h=f32(rng.normal(0, 0.1, M)),
        L=f32(rng.uniform(-0.5, 0.5, (M - N, N))),
        C=f32(rng.normal(0, 0.3, (M, K))),
    )


def packed(theta):
    return np.concatenate([np.ravel(theta[key]) for key in "AWhLC"])


def loss(theta, x, s, P, tau, alpha, lambda_lat, lambda_obs):
    """One window stands for the batch: all of its windows are this one."""
    M, (rows, N) = len(theta["A"]), x.shape
    seen = ~np.isnan(x)
    x = np.where(seen, x, 0.0)
    z = jnp.concatenate([x[0], theta["L"] @ x[0]])
    error = 0.0
    for t in range(rows - 1):
        if t > 0 and t % tau == 0:
            a = alpha * seen[t]
            z = jnp.concatenate([a * x[t] + (1 - a) * z[:N], z[N:]])
        phi = jnp.concatenate([z[: M - P], jnp.maximum(z[M - P :], 0.0)])
        z = theta["A"] * z + theta["W"] @ phi + theta["h"] + theta["C"] @ s[t + 1]
        error += jnp.sum(jnp.where(seen[t + 1], z[:N] - x[t + 1], 0.0) ** 2)
    excess = jnp.maximum(theta["A"] + jnp.diag(theta["W"]) - 0.05, 0.0)
    penalty = lambda_lat * jnp.linalg.norm(excess) + lambda_obs * jnp.sum(theta["L"] ** 2)
    return error / seen[1:].sum() + penalty


def curve(name, *, M, N, P, K, S, T, tau, epochs, batches, adam, alpha, start_lr, end_lr, lambda_lat, lambda_obs, clip, gaps):
    rng = np.random.default_rng(len(name))
    t = np.arange(T + 1)[:, None]
    x = f32(np.sin(0.31 * t + np.arange(N)) + 0.4 * np.sin(0.083 * t * (1 + np.arange(N))))
    x[rng.uniform(size=x.shape) < gaps] = np.nan
    s = f32(np.cos(0.2 * t + 2.0 * np.arange(K)))
    theta = parameters(rng, M, N, K)

    # JAX divides whole numbers in f32.
    rate = lambda count: start_lr * (end_lr / start_lr) ** ((count // batches).astype(float) / epochs)
    # The paper's threshold (Liu et al. 2020): rectified where rho > 4.
    optimizer = optax.adam(rate) if adam else optax.radam(rate, threshold=4.0)
    if clip > 0:
        optimizer = optax.chain(optax.clip_by_global_norm(clip), optimizer)
    gradient = jax.jit(jax.value_and_grad(lambda theta: loss(theta, x, s, P, tau, alpha, lambda_lat, lambda_obs)))
    state = optimizer.init(theta)
    thetas, losses, norms = [packed(theta)], [], []
    for step in range(epochs * batches):
        value, g = gradient(theta)
        norms.append(optax.global_norm(g))
        updates, state = optimizer.update(g, state, theta)
        theta = optax.apply_updates(theta, updates)
        losses.append(value)
        if (step + 1) % batches == 0:
            thetas.append(packed(theta))
    print(name, "loss", losses[0], losses[-1], "norm of the gradient", min(norms), max(norms))
    np.savez(
        HERE / f"{name}.npz",
        x=x,
        s=s,
        meta=np.array([M, N, P, K, S, T, tau, epochs, batches], float),
        settings=np.array([alpha, start_lr, end_lr, lambda_lat, lambda_obs, clip]),
        adam=np.array(float(adam)),
        theta=np.array(thetas),
        loss=np.reshape(losses, (epochs, batches)),
    )


plain = dict(N=3, K=0, S=5, alpha=1.0, lambda_lat=0.0, lambda_obs=0.0, clip=0.0, gaps=0.0, epochs=5, batches=8)
both = dict(N=2, K=2, S=3, alpha=0.7, lambda_lat=0.05, lambda_obs=0.01, gaps=0.2, epochs=4, batches=10)
curve("radam", M=20, P=2, T=60, tau=16, adam=False, start_lr=2e-3, end_lr=1e-5, **plain)
curve("adam", M=20, P=2, T=60, tau=16, adam=True, start_lr=2e-3, end_lr=1e-5, **plain)
curve("radam_clipped", M=9, P=4, T=30, tau=6, adam=False, start_lr=2e-2, end_lr=1e-3, clip=0.2, **both)
curve("adam_clipped", M=9, P=4, T=30, tau=6, adam=True, start_lr=5e-3, end_lr=1e-4, clip=0.2, **both)
