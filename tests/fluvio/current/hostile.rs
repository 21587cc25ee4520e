use std::hint::black_box;

use fluvio_smartmodule::{smartmodule, Result, SmartModuleRecord};

const CHUNK_BYTES: usize = 1 << 20;

#[smartmodule(filter)]
fn misbehave(record: &SmartModuleRecord) -> Result<bool> {
    match record.value().as_ref() {
        b"panic" => panic!("as asked"),
        b"loop" => loop {
            black_box(());
        },
        b"bomb" => {
            let mut chunks = Vec::new();
            loop {
                chunks.push(black_box(vec![1u8; CHUNK_BYTES]));
            }
        }
        _ => Ok(true),
    }
}
