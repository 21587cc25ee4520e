use fluvio_smartstream::{smartstream, Record};

#[smartstream(filter)]
pub fn has_a(record: &Record) -> bool {
    String::from_utf8_lossy(record.value.as_ref()).contains('a')
}
