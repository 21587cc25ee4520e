use fluvio_smartmodule::{smartmodule, Error, RecordData, Result, SmartModuleRecord};

#[smartmodule(filter_map)]
fn halve(record: &SmartModuleRecord) -> Result<Option<(Option<RecordData>, RecordData)>> {
    let text = std::str::from_utf8(record.value().as_ref())?;
    let number: i32 = text
        .parse()
        .map_err(|error| Error::new::<std::num::ParseIntError>(error).wrap_err("no number"))?;
    Ok((number % 2 == 0).then(|| (record.key().cloned(), (number / 2).to_string().into())))
}
