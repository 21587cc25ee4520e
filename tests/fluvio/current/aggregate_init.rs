use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::OnceLock;

use fluvio_smartmodule::dataplane::smartmodule::SmartModuleExtraParams;
use fluvio_smartmodule::{smartmodule, RecordData, Result, SmartModuleRecord};

static INITIAL: OnceLock<i64> = OnceLock::new();
static STARTED: AtomicBool = AtomicBool::new(false);

#[smartmodule(init)]
fn init(params: SmartModuleExtraParams) -> Result<()> {
    if let Some(text) = params.get("initial_value") {
        let number = text.parse()?;
        INITIAL.get_or_init(|| number);
    }
    Ok(())
}

#[smartmodule(aggregate)]
fn sum(accumulator: RecordData, record: &SmartModuleRecord) -> Result<RecordData> {
    let so_far = match INITIAL.get() {
        Some(initial) if !STARTED.swap(true, Ordering::Relaxed) => *initial,
        _ => number(accumulator.as_ref()).unwrap_or(0),
    };
    Ok((so_far + number(record.value().as_ref())?)
        .to_string()
        .into())
}

fn number(bytes: &[u8]) -> Result<i64> {
    Ok(std::str::from_utf8(bytes)?.parse()?)
}
