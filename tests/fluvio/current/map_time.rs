use chrono::DateTime;
use fluvio_smartmodule::{eyre, smartmodule, RecordData, Result, SmartModuleRecord};

#[smartmodule(map)]
fn prefix(record: &SmartModuleRecord) -> Result<(Option<RecordData>, RecordData)> {
    let time = match record.timestamp() {
        -1 => "unknown".into(),
        ms => DateTime::from_timestamp_millis(ms)
            .ok_or_else(|| eyre!("{ms} ms is out of range"))?
            .to_string(),
    };
    let text = std::str::from_utf8(record.value().as_ref())?;
    let value = format!("{}:{time}:{text}", record.offset());
    Ok((record.key().cloned(), value.into()))
}
