use fluvio_smartstream::{smartstream, Record, Result};

#[smartstream(filter)]
pub fn has_a(record: &Record) -> Result<bool> {
    let text = std::str::from_utf8(record.value.as_ref())?;
    Ok(text.contains('a'))
}
