"""Writes the array files of this folder with NumPy, so that the readers are tested on files they did not write.

    python tests/arrays/make.py
"""

import gzip
import pathlib

import numpy as np

here = pathlib.Path(__file__).parent
# 4 × 3, exact in every type; the same for all, so that a test compares with one table.
table = np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]], dtype=np.float64)

for dtype in ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]:
    for order, name in (("<", "little"), (">", "big")):
        np.save(here / f"{dtype}_{name}.npy", table.astype(order + dtype))
np.save(here / "fortran.npy", np.asfortranarray(table))
np.save(here / "bool.npy", table > 4)
np.save(here / "signed.npy", (table - 6).astype("i2"))
np.save(here / "trials.npy", np.stack([table, table + 100]))
np.save(here / "trials_fortran.npy", np.asfortranarray(np.stack([table, table + 100])))
np.save(here / "one_dimension.npy", table[:, 0])
np.save(here / "four_dimensions.npy", table.reshape(1, 2, 2, 3))
np.save(here / "empty.npy", table[:0])
np.save(here / "scalar.npy", np.float64(3))
np.save(here / "complex.npy", table.astype("c16"))
np.save(here / "text.npy", table.astype("U4"))
np.save(here / "bytes.npy", table.astype("S4"))
np.save(here / "dates.npy", table.astype("M8[s]"))
np.save(here / "objects.npy", np.array([table[:2], table], dtype=object), allow_pickle=True)
np.save(here / "records.npy", np.zeros(4, dtype=[("x", "f8"), ("y-1", "f4")]))
np.save(here / "longdouble.npy", table.astype(np.longdouble))
np.savez(here / "rec.npz", trial_10=table + 10, trial_9=table[:3], stimulus=table[:, :1])
np.savez_compressed(here / "one.npz", x=table)
np.savez(here / "none.npz")
with gzip.GzipFile(here / "table.npy.gz", "wb", mtime=0) as f:
    f.write((here / "f8_little.npy").read_bytes())
np.savetxt(here / "savetxt.csv", table, delimiter=",", header="x,y,z")
# What Julia's NPZ.jl and people write: a model with just A W h L P, A as a matrix, P as a float.
rng = np.random.default_rng(0)
np.savez(
    here / "foreign_model.npz",
    A=np.diag(np.float32([0.5, 0.25, -0.125])),
    W=np.asfortranarray(rng.normal(size=(3, 3))),
    h=np.zeros(3, dtype="f4"),
    L=np.array([[0.5, -1.5]]),
    P=np.array([1.0]),
)
