use fluvio_smartmodule::{smartmodule, Record, Result, SmartOpt};

#[derive(SmartOpt)]
pub struct Params {
    key: String,
}

impl Default for Params {
    fn default() -> Self {
        Params { key: "a".into() }
    }
}

#[smartmodule(filter, params)]
pub fn has_key(record: &Record, params: &Params) -> Result<bool> {
    let text = std::str::from_utf8(record.value.as_ref())?;
    Ok(text.contains(&params.key))
}
