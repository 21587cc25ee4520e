use std::sync::atomic::{AtomicI32, Ordering};

use fluvio_smartmodule::{smartmodule, Error, Result, SmartModuleRecord};

static PREVIOUS: AtomicI32 = AtomicI32::new(0);

#[smartmodule(look_back)]
fn remember(record: &SmartModuleRecord) -> Result<()> {
    PREVIOUS.store(number(record)?, Ordering::Relaxed);
    Ok(())
}

#[smartmodule(filter)]
fn is_larger(record: &SmartModuleRecord) -> Result<bool> {
    let current = number(record)?;
    Ok(current > PREVIOUS.swap(current, Ordering::Relaxed))
}

fn number(record: &SmartModuleRecord) -> Result<i32> {
    let text = std::str::from_utf8(record.value().as_ref())?;
    text.parse()
        .map_err(|_| Error::msg(format!("wrong str: {text}")))
}
