//! Files that other programs write: what they are, and how their arrays come here.

use std::path::Path;

use crate::arrays::extension;
use crate::error::Error;

/// Kinds of files that are known and not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    PyTorch,
    Pickle,
    Safetensors,
    Matlab,
    Matlab73,
    Hdf5,
    Spreadsheet,
    Parquet,
    Feather,
    R,
    Sqlite,
}

/// The refusal of a file that another program wrote, told by how it starts, or by its ending where that is no text.
pub(super) fn recognise(bytes: &[u8], path: &str) -> Option<Error> {
    by_start(bytes)
        .or_else(|| by_ending(path))
        .map(|kind| kind.refuse(path))
}

/// The same of a zip archive with entries of these names.
pub(super) fn recognise_zip<'a>(mut names: impl Iterator<Item = &'a str>, path: &str) -> Option<Error> {
    let kind = names.find_map(|name| match name {
        "[Content_Types].xml" | "content.xml" => Some(Kind::Spreadsheet),
        _ if name == "data.pkl" || name.ends_with("/data.pkl") => Some(Kind::PyTorch),
        _ => None,
    });
    kind.map(|kind| kind.refuse(path))
}

fn by_start(bytes: &[u8]) -> Option<Kind> {
    /// The number 0x1950a86a20f9469cfc6c, which PyTorch pickled first before it wrote archives.
    const TORCH: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
    const STARTS: [(&[u8], Kind); 12] = [
        (TORCH, Kind::PyTorch),
        (b"\x80\x02", Kind::Pickle),
        (b"\x80\x03", Kind::Pickle),
        (b"\x80\x04", Kind::Pickle),
        (b"\x80\x05", Kind::Pickle),
        (b"MATLAB 5.0 MAT-file", Kind::Matlab),
        (b"MATLAB 7.3 MAT-file", Kind::Matlab73),
        (b"\x89HDF\r\n\x1a\n", Kind::Hdf5),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind::Spreadsheet),
        (b"PAR1", Kind::Parquet),
        (b"ARROW1", Kind::Feather),
        (b"SQLite format 3\0", Kind::Sqlite),
    ];
    let of_r = bytes.starts_with(b"RDX") || bytes.starts_with(b"X\n\0\0\0");
    let starts = STARTS.into_iter().find(|(start, _)| bytes.starts_with(start));
    starts.map(|(_, kind)| kind).or(of_r.then_some(Kind::R))
}

fn by_ending(path: &str) -> Option<Kind> {
    match extension(path).as_str() {
        "pt" | "pth" | "ckpt" => Some(Kind::PyTorch),
        "pkl" | "pickle" => Some(Kind::Pickle),
        "safetensors" => Some(Kind::Safetensors),
        "mat" => Some(Kind::Matlab),
        "h5" | "hdf5" | "nwb" => Some(Kind::Hdf5),
        "xls" | "xlsx" | "ods" => Some(Kind::Spreadsheet),
        "parquet" => Some(Kind::Parquet),
        "feather" | "arrow" => Some(Kind::Feather),
        "rds" | "rda" | "rdata" => Some(Kind::R),
        _ => None,
    }
}

impl Kind {
    fn refuse(self, path: &str) -> Error {
        let file = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
        let stem = Path::new(path).file_stem().unwrap_or_default().to_string_lossy();
        let model = "; a model has arrays A, W, h, L and P";
        let (what, how) = match self {
            Self::PyTorch => (
                "a PyTorch file",
                format!(
                    "save its arrays with NumPy: numpy.savez('{stem}.npz', **{{k: v.numpy() for k, v in \
                     torch.load('{file}').items()}}){model}"
                ),
            ),
            Self::Pickle => (
                "a Python pickle",
                format!(
                    "save its arrays with NumPy: numpy.save('{stem}.npy', array), or numpy.savez for several"
                ),
            ),
            Self::Safetensors => (
                "a safetensors file",
                format!(
                    "convert it: numpy.savez('{stem}.npz', **safetensors.numpy.load_file('{file}')){model}"
                ),
            ),
            Self::Matlab => (
                "a MATLAB file",
                format!("convert it: numpy.save('{stem}.npy', scipy.io.loadmat('{file}')['x'])"),
            ),
            Self::Matlab73 => (
                "a MATLAB 7.3 file",
                format!(
                    "convert it: numpy.save('{stem}.npy', h5py.File('{file}')['x'][:].T), where .T undoes MATLAB's order"
                ),
            ),
            Self::Hdf5 => (
                "an HDF5 file",
                format!("convert it: numpy.save('{stem}.npy', h5py.File('{file}')['x'][:])"),
            ),
            Self::Spreadsheet => ("a spreadsheet", "save the sheet as CSV (UTF-8)".to_string()),
            Self::Parquet => (
                "a Parquet file",
                format!("convert it: pandas.read_parquet('{file}').to_csv('{stem}.csv', index=False)"),
            ),
            Self::Feather => (
                "an Arrow file",
                format!("convert it: pandas.read_feather('{file}').to_csv('{stem}.csv', index=False)"),
            ),
            Self::R => (
                "an R data file",
                format!("in R: write.csv(x, '{stem}.csv', row.names = FALSE)"),
            ),
            Self::Sqlite => ("an SQLite database", "export the table as CSV".to_string()),
        };
        Error::input(format!("{path} is {what}, which is not read directly")).with_hint(how)
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
