#![no_main]

#[path = "../../tests/corpus/entry.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::model(bytes));
