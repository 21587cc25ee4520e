//! Aggregates: an accumulator that the host keeps from call to call.

use crate::SmartModule;
use crate::error::{Error, Result};
use crate::kinds::Output;
use crate::record::{COUNT_BYTES, Input, Record};
use crate::reply::{Answer, Code, Kind, NO_FAILURE, Outputs, put_count, put_failure, reply};

/// Adds record after record to an accumulator.
///
/// The host's bytes are loaded once a call and stored once, so that an accumulator may be large.
pub trait Aggregate: SmartModule {
    /// Becomes what `store` wrote; empty bytes are where everything begins.
    fn load(&mut self, accumulator: &[u8]) -> Result<()>;

    /// Adds a record, unless it fails: then nothing may have changed.
    fn add<'a>(&'a mut self, record: &Record<'a>) -> Result<Option<Output<'a>>>;

    /// Appends what `load` will be given.
    fn store(&mut self, accumulator: &mut Vec<u8>);
}

/// Runs an aggregate over an input.
///
/// Without records the accumulator returns as it came, whatever it is.
pub fn aggregate<'a, M: Aggregate>(
    module: &mut M,
    buffer: &'a mut [u8],
    version: i32,
    out: &'a mut Vec<u8>,
) -> Answer<'a> {
    let input = Input::parse(buffer, version, true).ok_or(Code::CannotDecode)?;
    let records = &buffer[..input.counted.end];
    let accumulator = &buffer[input.accumulator.clone()];
    let mut at = input.records_start();
    let mut record_count = 0;
    let mut loaded = false;
    let mut failed = false;
    out.extend([0; COUNT_BYTES]);
    for _ in 0..input.record_count {
        let read = Record::read(records, at, input.base);
        let (record, end) = read.ok_or(Code::CannotDecodeRecords)?;
        if !loaded && let Err(error) = module.load(accumulator) {
            put_failure(out, Kind::Aggregate, &record, &describe(error));
            failed = true;
            break;
        }
        loaded = true;
        match module.add(&record) {
            Ok(Some(output)) => {
                Outputs::new(out, &record).push(output.key, output.value);
                record_count += 1;
            }
            Ok(None) => {}
            Err(error) => {
                put_failure(out, Kind::Aggregate, &record, &error);
                failed = true;
                break;
            }
        }
        at = end;
    }
    put_count(out, record_count);
    if !failed {
        out.push(NO_FAILURE);
    }
    put_accumulator(out, |out| match loaded {
        true => module.store(out),
        false => out.extend_from_slice(accumulator),
    });
    reply(record_count, out)
}

fn describe(error: Error) -> Error {
    error.under("Cannot go on from the initial accumulator")
}

/// Appends bytes with their length before them, which is known only afterwards.
fn put_accumulator(out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; COUNT_BYTES]);
    put(out);
    let bytes = out.len() - start - COUNT_BYTES;
    put_count(&mut out[start..], bytes);
}
