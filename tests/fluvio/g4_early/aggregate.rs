use fluvio_smartmodule::{smartmodule, Record, RecordData, Result};

#[smartmodule(aggregate)]
pub fn concatenate(accumulator: RecordData, record: &Record) -> Result<RecordData> {
    let mut text = String::from_utf8(accumulator.as_ref().to_vec())?;
    text.push_str(std::str::from_utf8(record.value.as_ref())?);
    Ok(text.into())
}
