// `Record` is what modules of 2023 are written with, and what later SDKs still take.
#![allow(deprecated)]

use fluvio_smartmodule::{smartmodule, Record, RecordData, Result};

#[smartmodule(map)]
pub fn upper(record: &Record) -> Result<(Option<RecordData>, RecordData)> {
    let value = record.value.as_ref().to_ascii_uppercase();
    Ok((record.key.clone(), value.into()))
}
