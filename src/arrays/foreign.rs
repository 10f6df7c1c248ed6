//! Files that other programs write: what they are, and how their arrays come here.

use std::path::Path;

use crate::arrays::extension;
use crate::error::Error;

/// A kind of file that is known and not read.
struct Kind {
    /// How its files start.
    starts: &'static [&'static [u8]],
    endings: &'static [&'static str],
    what: &'static str,
    /// What to do about it; `{file}` and `{stem}` stand for the name of the file, with and without its ending.
    how: &'static str,
}

const PYTORCH: Kind = Kind {
    // The number 0x1950a86a20f9469cfc6c, which PyTorch pickled first before it wrote archives.
    starts: &[b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"],
    endings: &["pt", "pth", "ckpt"],
    what: "a PyTorch file",
    how: "save its arrays with NumPy: numpy.savez('{stem}.npz', **{k: v.numpy() for k, v in \
          torch.load('{file}').items()}); a model has arrays A, W, h, L and P",
};

const SPREADSHEET: Kind = Kind {
    starts: &[b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"],
    endings: &["xls", "xlsx", "ods"],
    what: "a spreadsheet",
    how: "save the sheet as CSV (UTF-8)",
};

const KINDS: [Kind; 11] = [
    PYTORCH,
    Kind {
        starts: &[b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"],
        endings: &["pkl", "pickle"],
        what: "a Python pickle",
        how: "save its arrays with NumPy: numpy.save('{stem}.npy', array), or numpy.savez for several",
    },
    Kind {
        starts: &[],
        endings: &["safetensors"],
        what: "a safetensors file",
        how: "convert it: numpy.savez('{stem}.npz', **safetensors.numpy.load_file('{file}')); a model has arrays A, W, h, L \
              and P",
    },
    Kind {
        starts: &[b"MATLAB 5.0 MAT-file"],
        endings: &["mat"],
        what: "a MATLAB file",
        how: "convert it: numpy.save('{stem}.npy', scipy.io.loadmat('{file}')['x'])",
    },
    Kind {
        starts: &[b"MATLAB 7.3 MAT-file"],
        endings: &[],
        what: "a MATLAB 7.3 file",
        how: "convert it: numpy.save('{stem}.npy', h5py.File('{file}')['x'][:].T), where .T undoes MATLAB's order",
    },
    Kind {
        starts: &[b"\x89HDF\r\n\x1a\n"],
        endings: &["h5", "hdf5", "nwb"],
        what: "an HDF5 file",
        how: "convert it: numpy.save('{stem}.npy', h5py.File('{file}')['x'][:])",
    },
    SPREADSHEET,
    Kind {
        starts: &[b"PAR1"],
        endings: &["parquet"],
        what: "a Parquet file",
        how: "convert it: pandas.read_parquet('{file}').to_csv('{stem}.csv', index=False)",
    },
    Kind {
        starts: &[b"ARROW1"],
        endings: &["feather", "arrow"],
        what: "an Arrow file",
        how: "convert it: pandas.read_feather('{file}').to_csv('{stem}.csv', index=False)",
    },
    Kind {
        starts: &[b"RDX", b"X\n\0\0\0"],
        endings: &["rds", "rda", "rdata"],
        what: "an R data file",
        how: "in R: write.csv(x, '{stem}.csv', row.names = FALSE)",
    },
    Kind {
        starts: &[b"SQLite format 3\0"],
        endings: &[],
        what: "an SQLite database",
        how: "export the table as CSV",
    },
];

/// The refusal of a file that another program wrote, told by how it starts, or by its ending where that is no text.
pub(super) fn recognise(bytes: &[u8], path: &str) -> Option<Error> {
    let ending = extension(path);
    let starts = |kind: &&Kind| kind.starts.iter().any(|start| bytes.starts_with(start));
    let by_start = KINDS.iter().find(starts);
    by_start
        .or_else(|| KINDS.iter().find(|kind| kind.endings.contains(&ending.as_str())))
        .map(|kind| kind.refuse(path))
}

/// The same of a zip archive with entries of these names.
pub(super) fn recognise_zip<'a>(mut names: impl Iterator<Item = &'a str>, path: &str) -> Option<Error> {
    names.find_map(|name| match name {
        "[Content_Types].xml" | "content.xml" => Some(SPREADSHEET.refuse(path)),
        _ if name == "data.pkl" || name.ends_with("/data.pkl") => Some(PYTORCH.refuse(path)),
        _ => None,
    })
}

impl Kind {
    fn refuse(&self, path: &str) -> Error {
        let file = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
        let stem = Path::new(path).file_stem().unwrap_or_default().to_string_lossy();
        let how = self.how.replace("{file}", &file).replace("{stem}", &stem);
        Error::input(format!("{path} is {}, which is not read directly", self.what)).with_hint(how)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_start_before_their_ending() {
        for (bytes, path, what) in [
            (
                &b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."[..],
                "x.npz",
                "PyTorch",
            ),
            (b"\x80\x04\x95", "x.csv", "pickle"),
            (b"MATLAB 7.3 MAT-file, ", "x.mat", "MATLAB 7.3"),
            (b"\x89HDF\r\n\x1a\n", "x.npy", "HDF5"),
            (b"PAR1", "x.csv", "Parquet"),
            (b"anything", "run/x.pth", "PyTorch"),
            (b"", "x.xlsx", "spreadsheet"),
        ] {
            let error = recognise(bytes, path).expect(path);
            assert!(error.to_string().contains(what), "{error}");
            assert_eq!(error.exit_code(), 2);
        }
        for (bytes, path) in [
            (&b"1,2\n"[..], "x.csv"),
            (b"\x93NUMPY", "x.npy"),
            (b"PK", "x.npz"),
            (b"\x80\x01", "x.csv"),
        ] {
            assert!(recognise(bytes, path).is_none(), "{path}");
        }
        let zip = |names: &[&str]| recognise_zip(names.iter().copied(), "x.pt").map(|e| e.to_string());
        assert!(zip(&["m/data.pkl", "m/data/0"]).is_some_and(|e| e.contains("PyTorch")));
        assert!(zip(&["xl/a.xml", "[Content_Types].xml"]).is_some_and(|e| e.contains("spreadsheet")));
        assert!(zip(&["A.npy", "data.pkl.npy"]).is_none());
    }
}
