//! From bytes to text: byte order marks, UTF-16, and what is no text at all.

use std::borrow::Cow;

use encoding_rs::{Encoding, WINDOWS_1252};

use crate::error::{Error, Result};

/// The text of a table: UTF-8, or UTF-16 where a byte order mark says so. Bytes that are no UTF-8 are taken for
/// Windows-1252, in which older programs write `µ` and `°`; digits are the same in both.
///
/// # Errors
/// When the bytes are no text: cut UTF-16, or zero bytes (UTF-16 without its mark, or a binary file).
pub(super) fn decode<'a>(bytes: &'a [u8], name: &str) -> Result<Cow<'a, str>> {
    let (text, encoding, damaged) = match (Encoding::for_bom(bytes), std::str::from_utf8(bytes)) {
        (Some((encoding, mark)), _) => {
            let (text, damaged) = encoding.decode_without_bom_handling(&bytes[mark..]);
            (text, encoding.name(), damaged)
        }
        (None, Ok(text)) => (Cow::Borrowed(text), "UTF-8", false),
        (None, Err(_)) => {
            let (text, damaged) = WINDOWS_1252.decode_without_bom_handling(bytes);
            (text, WINDOWS_1252.name(), damaged)
        }
    };
    if damaged {
        return Err(Error::input(format!(
            "{name} starts as {encoding} text, but is damaged further on"
        ))
        .with_hint("save it again, as CSV in UTF-8"));
    }
    if text.contains('\0') {
        return Err(Error::input(format!(
            "{name} holds zero bytes: it is a binary file, or text in UTF-16 or UTF-32"
        ))
        .with_hint("save it as CSV in UTF-8"));
    }
    if encoding == WINDOWS_1252.name() {
        log::warn!(
            "{name} is no UTF-8: its letters are read as {encoding}, so check the names of its columns"
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_told_by_their_marks() {
        let utf16 = |text: &str, mark: [u8; 2], swap: bool| {
            let units = text.encode_utf16().map(|u| if swap { u.swap_bytes() } else { u });
            let body = units.flat_map(u16::to_le_bytes);
            mark.into_iter().chain(body).collect::<Vec<u8>>()
        };
        let text = "µ,v\n1,2\n";
        for bytes in [
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            utf16(text, [0xff, 0xfe], false),
            utf16(text, [0xfe, 0xff], true),
            b"\xb5,v\n1,2\n".to_vec(),
        ] {
            assert_eq!(decode(&bytes, "x.csv").expect("text"), text);
        }
        let mut cut = utf16(text, [0xff, 0xfe], false);
        cut.pop();
        let error = decode(&cut, "x.csv").expect_err("cut").to_string();
        assert_eq!(error, "x.csv starts as UTF-16LE text, but is damaged further on");
        for bytes in [
            utf16(text, [0xff, 0xfe], false).split_off(2),
            b"\x7fELF\0\0".to_vec(),
        ] {
            let error = decode(&bytes, "x.csv").expect_err("no text").to_string();
            assert!(error.starts_with("x.csv holds zero bytes"), "{error}");
        }
    }
}
