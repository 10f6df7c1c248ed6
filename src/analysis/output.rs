use std::io::{self, Cursor, Write};
use std::path::Path;

use ndarray::{Array1, Array2, Array3, ArrayView1};
use ndarray_npy::{NpzWriter, WriteNpyExt};

use super::cycles::Cycle;
use super::linalg::Eigenvalue;
use super::{Analysis, BlockEntropy};
use crate::error::{Error, Result};
use crate::fs::write_bytes;

/// Visited regions whose codes are written.
const WRITTEN_CODES: usize = 100_000;

impl Analysis {
    /// Writes `analysis.json`, `analysis.npz` and `transitions.dot` into an existing folder.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        write_bytes(folder.join("analysis.json"), self.to_json()?)?;
        let npz = folder.join("analysis.npz");
        let bytes = self.npz_bytes().map_err(|e| Error::io("write", &npz, e))?;
        write_bytes(npz, bytes)?;
        match &self.transitions {
            Some(graph) => write_bytes(folder.join("transitions.dot"), graph.dot()),
            None => Ok(()),
        }
    }

    /// Everything but the long arrays; numbers that are not finite are null.
    ///
    /// # Errors
    /// None in practice: all keys are strings.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self)
            .map_err(|e| Error::runtime(format!("the analysis cannot be written as JSON: {e}")))
    }

    /// The arrays as an `.npz` (NumPy names and shapes):
    /// `symbols[T]` u32, `codes[regions, P]` u8 (row = symbol), `shares[regions]`, `z[≤ 20000, M]` f32,
    /// `transitions`, `transition_counts` `[nodes, nodes]`, `block_entropies[n, 3]` (H, corrected, conditional) and
    /// `change_block_entropies`, `lyapunov[M, 2]` (value, error, per step), `lyapunov_steps[points]`,
    /// `lyapunov_convergence[points, M]`, `fixed_points[k, M]`, `fixed_points_real[k]` u8,
    /// `fixed_point_eigenvalues[k, M, 2]`, `cycles_p[cycles, p, M]` and `cycle_eigenvalues_p[cycles, M, 2]` for each
    /// period `p` found, `periodic_z[rows, M]` (the states of all periodic orbits), `periodic_rows[orbits + 1]` u32 (where
    /// each begins, and their end) and `periodic_multipliers[orbits, M, 2]`.
    ///
    /// # Errors
    /// None in practice: they are written to memory.
    pub fn npz_bytes(&self) -> io::Result<Vec<u8>> {
        let mut npz = NpzWriter::new_compressed(Cursor::new(Vec::new()));
        self.add_run(&mut npz)?;
        self.add_orbits(&mut npz)?;
        self.add_periodic(&mut npz)?;
        npz.finish().map(Cursor::into_inner).map_err(io::Error::other)
    }

    /// What follows from the free run.
    fn add_run<W: Write + io::Seek>(&self, npz: &mut NpzWriter<W>) -> io::Result<()> {
        if let Some(regions) = &self.regions {
            let codes = &regions.codes[..regions.codes.len().min(WRITTEN_CODES)];
            let bits = matrix(codes.len(), self.P, |r, p| u8::from(codes[r].bit(p)));
            let shares: Array1<f64> = regions.list.iter().map(|r| r.share).collect();
            add(npz, "symbols", ArrayView1::from(&regions.sequence))?;
            add(npz, "codes", bits)?;
            add(npz, "shares", shares)?;
            add(npz, "z", self.states.mapv(|v| v as f32))?;
        }
        if let Some(graph) = &self.transitions {
            let n = graph.nodes.len();
            add(npz, "transitions", matrix(n, n, |i, j| graph.probability[i][j]))?;
            add(npz, "transition_counts", matrix(n, n, |i, j| graph.counts[i][j]))?;
        }
        for (name, statistics) in [
            ("block_entropies", &self.symbols),
            ("change_block_entropies", &self.changes),
        ] {
            if let Some(s) = statistics {
                let row = |b: &BlockEntropy| [b.entropy, b.corrected, b.conditional];
                add(npz, name, matrix(s.blocks.len(), 3, |i, j| row(&s.blocks[i])[j]))?;
            }
        }
        if let Some(l) = &self.lyapunov {
            let both = [&l.spectrum, &l.error];
            add(npz, "lyapunov", matrix(self.M, 2, |i, j| both[j][i]))?;
            add(npz, "lyapunov_steps", ArrayView1::from(&l.convergence_steps))?;
            add(npz, "lyapunov_convergence", l.convergence.view())?;
        }
        Ok(())
    }

    /// Fixed points and cycles.
    fn add_orbits<W: Write + io::Seek>(&self, npz: &mut NpzWriter<W>) -> io::Result<()> {
        let points = &self.fixed_points.points;
        let eigenvalues: Vec<&[Eigenvalue]> = points.iter().map(|p| &p.stability.eigenvalues[..]).collect();
        let real: Array1<u8> = points.iter().map(|p| u8::from(p.real)).collect();
        add(
            npz,
            "fixed_points",
            matrix(points.len(), self.M, |k, i| points[k].z[i]),
        )?;
        add(npz, "fixed_points_real", real)?;
        add(npz, "fixed_point_eigenvalues", self.spectra(&eigenvalues))?;
        for period in self.cycles.iter().filter(|period| !period.cycles.is_empty()) {
            let (cycles, p): (&[Cycle], _) = (&period.cycles, period.period);
            let shape = (cycles.len(), p, self.M);
            let states = Array3::from_shape_fn(shape, |(c, t, i)| cycles[c].states[t][i]);
            let eigenvalues: Vec<&[Eigenvalue]> =
                cycles.iter().map(|c| &c.stability.eigenvalues[..]).collect();
            add(npz, &format!("cycles_{p}"), states)?;
            add(npz, &format!("cycle_eigenvalues_{p}"), self.spectra(&eigenvalues))?;
        }
        Ok(())
    }

    /// Periodic orbits of a flow, one after the other.
    fn add_periodic<W: Write + io::Seek>(&self, npz: &mut NpzWriter<W>) -> io::Result<()> {
        let Some(found) = self.periodic.as_ref().filter(|found| !found.orbits.is_empty()) else {
            return Ok(());
        };
        let lengths = found.orbits.iter().map(|orbit| orbit.states.len() as u32);
        let ends = lengths.scan(0, |end, length| {
            *end += length;
            Some(*end)
        });
        let rows: Array1<u32> = [0].into_iter().chain(ends).collect();
        let states: Vec<&[f64]> = found
            .orbits
            .iter()
            .flat_map(|o| &o.states)
            .map(|z| &z[..])
            .collect();
        let multipliers: Vec<&[Eigenvalue]> = found.orbits.iter().map(|o| &o.multipliers[..]).collect();
        add(
            npz,
            "periodic_z",
            matrix(states.len(), self.M, |t, i| states[t][i]),
        )?;
        add(npz, "periodic_rows", rows)?;
        add(npz, "periodic_multipliers", self.spectra(&multipliers))
    }

    /// `[k, M, 2]`, NaN where eigenvalues could not be computed.
    fn spectra(&self, rows: &[&[Eigenvalue]]) -> Array3<f64> {
        Array3::from_shape_fn((rows.len(), self.M, 2), |(k, i, part)| {
            rows[k].get(i).map_or(f64::NAN, |e| [e.re, e.im][part])
        })
    }
}

/// `[rows, columns]`.
fn matrix<T>(rows: usize, columns: usize, value: impl Fn(usize, usize) -> T) -> Array2<T> {
    Array2::from_shape_fn((rows, columns), |(i, j)| value(i, j))
}

fn add<W: Write + io::Seek>(npz: &mut NpzWriter<W>, name: &str, array: impl WriteNpyExt) -> io::Result<()> {
    npz.add_array(name, &array).map_err(io::Error::other)
}
