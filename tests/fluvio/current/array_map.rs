use fluvio_smartmodule::{smartmodule, RecordData, Result, SmartModuleRecord};
use serde_json::Value;

#[smartmodule(array_map)]
fn elements(record: &SmartModuleRecord) -> Result<Vec<(Option<RecordData>, RecordData)>> {
    let array: Vec<Value> = serde_json::from_slice(record.value().as_ref())?;
    Ok(array
        .into_iter()
        .map(|each| (None, each.to_string().into()))
        .collect())
}
