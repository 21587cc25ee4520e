use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;

use fluvio_smartmodule::dataplane::smartmodule::SmartModuleExtraParams;
use fluvio_smartmodule::{smartmodule, Result, SmartModuleRecord};

type Value = Vec<u8>;

/// The values seen last, at most `count` of them.
#[derive(Default)]
struct Seen {
    count: usize,
    order: VecDeque<Value>,
    values: HashSet<Value>,
}

static SEEN: Mutex<Option<Seen>> = Mutex::new(None);

/// Tells whether a value is new, and remembers it.
fn see(record: &SmartModuleRecord) -> bool {
    let mut guard = SEEN.lock().unwrap();
    let seen = guard.get_or_insert_with(|| Seen {
        count: usize::MAX - 1,
        ..Seen::default()
    });
    let value = record.value().as_ref().to_vec();
    if !seen.values.insert(value.clone()) {
        return false;
    }
    seen.order.push_back(value);
    if seen.order.len() > seen.count {
        let oldest = seen.order.pop_front().unwrap();
        seen.values.remove(&oldest);
    }
    true
}

#[smartmodule(init)]
fn init(params: SmartModuleExtraParams) -> Result<()> {
    if let Some(count) = params.get("count") {
        let count = count.parse()?;
        *SEEN.lock().unwrap() = Some(Seen {
            count,
            ..Seen::default()
        });
    }
    Ok(())
}

#[smartmodule(look_back)]
fn look_back(record: &SmartModuleRecord) -> Result<()> {
    see(record);
    Ok(())
}

#[smartmodule(filter)]
fn is_new(record: &SmartModuleRecord) -> Result<bool> {
    Ok(see(record))
}
