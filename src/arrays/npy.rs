//! The `.npy` format (NumPy enhancement proposal 1): any real dtype, order and endianness, chosen at run time.

use half::f16;
use ndarray::{ArrayD, IxDyn, ShapeBuilder};
use ndarray_npy::npy::header::Header;

use crate::arrays::times;
use crate::error::{Error, Result};

/// Longest header and deepest nesting that are given to the literal parser; NumPy writes 118 bytes and depth 2.
const MAX_HEADER: usize = 1 << 16;
const MAX_DEPTH: usize = 4;

/// Reads a real array of any number of dimensions. `name` is what messages call it.
///
/// # Errors
/// When the bytes are no `.npy` file, fewer than the header promises, or of a dtype that is not real.
pub fn read_npy(bytes: &[u8], name: &str) -> Result<ArrayD<f64>> {
    let (header, data) = split_header(bytes, name)?;
    let dtype = Dtype::parse(&header.type_descriptor, name)?;
    let shape = &header.shape;
    let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    let needed = count.and_then(|n| n.checked_mul(dtype.size));
    let (Some(count), Some(needed)) = (count, needed) else {
        return Err(damaged(name, "its shape is too large for any file"));
    };
    if data.len() < needed {
        return Err(Error::input(format!(
            "{name} is cut short: its header promises {} of {needed} bytes, only {} are there",
            describe_shape(shape),
            data.len()
        ))
        .with_hint("copy or save the file again"));
    }
    let values = dtype.decode(&data[..needed]);
    debug_assert_eq!(values.len(), count);
    ArrayD::from_shape_vec(IxDyn(shape).set_f(header.layout.is_fortran()), values)
        .map_err(|e| damaged(name, &e.to_string()))
}

/// `3 × 4 values`, for messages.
fn describe_shape(shape: &[usize]) -> String {
    match shape {
        [] => "a single value".into(),
        _ => format!("{} values", times(shape)),
    }
}

fn damaged(name: &str, why: &str) -> Error {
    Error::input(format!("{name} is not a readable .npy file: {why}"))
}

/// Parses the header and returns it with the bytes behind it.
///
/// The literal parser of `ndarray-npy` allocates what the header's length field says, recurses with the nesting and
/// panics on some sums, so what it gets is bounded here first.
fn split_header<'a>(bytes: &'a [u8], name: &str) -> Result<(Header, &'a [u8])> {
    if !bytes.starts_with(b"\x93NUMPY") {
        return Err(damaged(name, "it does not start with the NumPy mark"));
    }
    let prefix = match bytes.get(6) {
        Some(1) => 10,
        Some(2 | 3) => 12,
        Some(version) => return Err(damaged(name, &format!("format version {version} is not known"))),
        None => return Err(damaged(name, "it ends within its header")),
    };
    let length = bytes
        .get(8..prefix)
        .map(|field| field.iter().rev().fold(0usize, |n, &b| n << 8 | usize::from(b)));
    let end = length.and_then(|n| n.checked_add(prefix));
    let text = end.and_then(|end| bytes.get(prefix..end));
    let (Some(text), Some(end)) = (text, end) else {
        return Err(damaged(name, "it ends within its header"));
    };
    let Some(plain) = harmless(text) else {
        return Err(damaged(name, "its header is not what NumPy writes for numbers"));
    };
    let mut lengths = (plain.len() as u32).to_le_bytes().to_vec();
    lengths.truncate(prefix - 8);
    let rebuilt = [&bytes[..8], &lengths, &plain].concat();
    let header = Header::from_reader(&mut rebuilt.as_slice()).map_err(|e| {
        // Syntax errors come as a drawing of several lines; the first says nothing useful either.
        damaged(name, e.to_string().lines().next().unwrap_or("damaged header"))
    })?;
    Ok((header, &bytes[end..]))
}

/// The header as the literal parser can take it: short, not deeply nested, without signs outside of names, and with
/// `150L`, as NumPy wrote whole numbers under Python 2, as `150`. `None` for any other.
fn harmless(text: &[u8]) -> Option<Vec<u8>> {
    let mut depth = 0usize;
    let mut quote = None;
    let mut plain = Vec::with_capacity(text.len());
    for &byte in text {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'(' | b'[' | b'{') => depth += 1,
            (None, b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            (None, b'+' | b'-') => return None,
            (None, b'L' | b'l') if plain.last().is_some_and(u8::is_ascii_digit) => continue,
            _ => {}
        }
        if depth > MAX_DEPTH {
            return None;
        }
        plain.push(byte);
    }
    // Escapes and triple quotes would set the two readings of what is quoted apart.
    let has = |part: &[u8]| text.windows(part.len()).any(|w| w == part);
    let short = text.len() <= MAX_HEADER;
    (short && !has(b"\\") && !has(b"'''") && !has(b"\"\"\"")).then_some(plain)
}

/// How one element is stored.
#[derive(Clone, Copy, Debug)]
struct Dtype {
    /// `b` for truth values, `i` and `u` for whole numbers with and without a sign, `f` for floating-point ones.
    code: char,
    /// Bytes.
    size: usize,
    big_endian: bool,
}

impl Dtype {
    /// Parses a type descriptor such as `'<f8'`.
    fn parse(descriptor: &impl std::fmt::Display, name: &str) -> Result<Self> {
        let text = descriptor.to_string();
        let text = text.trim_matches(['\'', '"']);
        let not_real = |what: &str, hint: &str| {
            Err(Error::input(format!("{name} holds {what}, not real numbers (dtype {text})")).with_hint(hint))
        };
        if text.starts_with('[') {
            return not_real(
                "records",
                "save the fields that matter as one T × N array of numbers",
            );
        }
        let mut chars = text.chars();
        let order = chars.next().unwrap_or(' ');
        let code = chars.next().unwrap_or(' ');
        let size: usize = chars.as_str().parse().unwrap_or(0);
        match (code, size) {
            ('b', 1) | ('i' | 'u', 1 | 2 | 4 | 8) | ('f', 2 | 4 | 8) => Ok(Self {
                code,
                size,
                big_endian: order == '>' || (order == '=' && cfg!(target_endian = "big")),
            }),
            ('f', _) => not_real("extended floats", "save it as float64: array.astype('float64')"),
            ('c', _) => not_real(
                "complex numbers",
                "save the real part, or real and imaginary part as columns",
            ),
            ('U' | 'S' | 'a', _) => {
                not_real("text", "convert the columns to numbers: array.astype('float64')")
            }
            ('O', _) => not_real(
                "Python objects",
                "convert it to numbers: array.astype('float64'); trials of unequal length go into one .npz, an array each",
            ),
            ('M' | 'm', _) => not_real("dates", "leave the time column out"),
            _ => not_real("something else", "save it as float64: array.astype('float64')"),
        }
    }

    fn decode(self, bytes: &[u8]) -> Vec<f64> {
        let big = self.big_endian;
        match (self.code, self.size) {
            ('b', _) => elements(bytes, big, |[b]| f64::from(u8::from(b != 0))),
            ('i', 1) => elements(bytes, big, |b| f64::from(i8::from_le_bytes(b))),
            ('i', 2) => elements(bytes, big, |b| f64::from(i16::from_le_bytes(b))),
            ('i', 4) => elements(bytes, big, |b| f64::from(i32::from_le_bytes(b))),
            ('i', _) => elements(bytes, big, |b| i64::from_le_bytes(b) as f64),
            ('u', 1) => elements(bytes, big, |[b]| f64::from(b)),
            ('u', 2) => elements(bytes, big, |b| f64::from(u16::from_le_bytes(b))),
            ('u', 4) => elements(bytes, big, |b| f64::from(u32::from_le_bytes(b))),
            ('u', _) => elements(bytes, big, |b| u64::from_le_bytes(b) as f64),
            (_, 2) => elements(bytes, big, |b| f16::from_le_bytes(b).to_f64()),
            (_, 4) => elements(bytes, big, |b| f64::from(f32::from_le_bytes(b))),
            _ => elements(bytes, big, f64::from_le_bytes),
        }
    }
}

/// Decodes elements of `B` bytes; `f` gets them in little-endian order.
fn elements<const B: usize>(bytes: &[u8], big_endian: bool, f: impl Fn([u8; B]) -> f64) -> Vec<f64> {
    let (chunks, _) = bytes.as_chunks::<B>();
    let little = |mut chunk: [u8; B]| {
        if big_endian {
            chunk.reverse();
        }
        chunk
    };
    chunks.iter().map(|&chunk| f(little(chunk))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_exact() {
        let half = |bits: u16| f16::from_bits(bits).to_f64();
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0400, 2f64.powi(-14)),
            (0x0001, 2f64.powi(-24)),
            (0x8000, -0.0),
            (0x7c00, f64::INFINITY),
        ] {
            assert_eq!(half(bits), value, "{bits:#x}");
        }
        assert!(half(0x7e00).is_nan());
    }

    /// A literal that overflows the parser's stack, one that makes it panic, and one that claims 4 GB.
    #[test]
    fn hostile_headers_are_refused() {
        let header = |text: &str| {
            let mut bytes = b"\x93NUMPY\x02\x00".to_vec();
            bytes.extend((text.len() as u32).to_le_bytes());
            bytes.extend(text.as_bytes());
            bytes
        };
        for text in [
            "(".repeat(60_000),
            format!("{}+1.5\n", "9".repeat(400)),
            "\n".into(),
        ] {
            assert!(read_npy(&header(&text), "x").is_err());
        }
        assert!(read_npy(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}", "x").is_err());
        let huge = "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}\n";
        assert!(read_npy(&header(huge), "x").is_err());
        let huge =
            "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296, 4294967296)}\n";
        assert!(read_npy(&header(huge), "x").is_err());
    }
}
