use fluvio_smartstream::{smartstream, Record, RecordData, Result};

#[smartstream(map)]
pub fn upper(record: &Record) -> Result<(Option<RecordData>, RecordData)> {
    let value = record.value.as_ref().to_ascii_uppercase();
    Ok((record.key.clone(), value.into()))
}
