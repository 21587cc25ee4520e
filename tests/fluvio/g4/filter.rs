// `Record` is what modules of 2023 are written with, and what later SDKs still take.
#![allow(deprecated)]

use fluvio_smartmodule::{smartmodule, Record, Result};

#[smartmodule(filter)]
pub fn has_a(record: &Record) -> Result<bool> {
    let text = std::str::from_utf8(record.value.as_ref())?;
    Ok(text.contains('a'))
}
