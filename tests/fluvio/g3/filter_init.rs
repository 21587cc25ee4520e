use std::sync::OnceLock;

use fluvio_smartmodule::dataplane::smartmodule::{SmartModuleExtraParams, SmartModuleInitError};
use fluvio_smartmodule::{smartmodule, Record, Result};

static KEY: OnceLock<String> = OnceLock::new();

#[smartmodule(init)]
fn init(params: SmartModuleExtraParams) -> Result<()> {
    let key = params
        .get("key")
        .ok_or_else(|| SmartModuleInitError::MissingParam("key".into()))?;
    KEY.get_or_init(|| key.clone());
    Ok(())
}

#[smartmodule(filter)]
fn has_key(record: &Record) -> Result<bool> {
    let text = std::str::from_utf8(record.value.as_ref())?;
    Ok(KEY.get().is_some_and(|key| text.contains(key)))
}
