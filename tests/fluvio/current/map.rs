use fluvio_smartmodule::{smartmodule, RecordData, Result, SmartModuleRecord};

#[smartmodule(map)]
fn upper(record: &SmartModuleRecord) -> Result<(Option<RecordData>, RecordData)> {
    let value = record.value().as_ref().to_ascii_uppercase();
    Ok((record.key().cloned(), value.into()))
}
