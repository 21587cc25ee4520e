use fluvio_smartmodule::{smartmodule, Result, SmartModuleRecord};

#[smartmodule(filter)]
fn has_a(record: &SmartModuleRecord) -> Result<bool> {
    let text = std::str::from_utf8(record.value().as_ref())?;
    Ok(text.contains('a'))
}
