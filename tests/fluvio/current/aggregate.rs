use fluvio_smartmodule::{smartmodule, RecordData, Result, SmartModuleRecord};

#[smartmodule(aggregate)]
fn concatenate(accumulator: RecordData, record: &SmartModuleRecord) -> Result<RecordData> {
    let mut text = String::from_utf8(accumulator.as_ref().to_vec())?;
    text.push_str(std::str::from_utf8(record.value().as_ref())?);
    Ok(text.into())
}
