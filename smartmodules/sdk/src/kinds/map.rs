//! Maps of three kinds: one output of each record, at most one, or any number.

use crate::SmartModule;
use crate::error::Result;
use crate::record::{COUNT_BYTES, Input, Record};
use crate::reply::{Answer, Code, Kind, NO_FAILURE, Outputs, put_count, put_failure, reply};

/// What a record becomes. It borrows from the record, or from buffers that the module reuses.
pub struct Output<'a> {
    pub key: Option<&'a [u8]>,
    pub value: &'a [u8],
}

/// Makes one record of each.
pub trait Map: SmartModule {
    fn map<'a>(&'a mut self, record: &Record<'a>) -> Result<Output<'a>>;
}

/// Makes one record or none of each.
pub trait FilterMap: SmartModule {
    fn filter_map<'a>(&'a mut self, record: &Record<'a>) -> Result<Option<Output<'a>>>;
}

/// Makes any number of records of each; none at all if it fails.
pub trait ArrayMap: SmartModule {
    fn array_map(&mut self, record: &Record, outputs: &mut Outputs) -> Result<()>;
}

/// Runs a map over an input.
pub fn map<'a, M: Map>(
    module: &mut M,
    buffer: &'a mut [u8],
    version: i32,
    out: &'a mut Vec<u8>,
) -> Answer<'a> {
    each_record(Kind::Map, buffer, version, out, |record, outputs| {
        let output = module.map(record)?;
        outputs.push(output.key, output.value);
        Ok(())
    })
}

/// Runs a filter_map over an input.
pub fn filter_map<'a, M: FilterMap>(
    module: &mut M,
    buffer: &'a mut [u8],
    version: i32,
    out: &'a mut Vec<u8>,
) -> Answer<'a> {
    each_record(Kind::FilterMap, buffer, version, out, |record, outputs| {
        if let Some(output) = module.filter_map(record)? {
            outputs.push(output.key, output.value);
        }
        Ok(())
    })
}

/// Runs an array_map over an input.
pub fn array_map<'a, M: ArrayMap>(
    module: &mut M,
    buffer: &'a mut [u8],
    version: i32,
    out: &'a mut Vec<u8>,
) -> Answer<'a> {
    each_record(Kind::ArrayMap, buffer, version, out, |record, outputs| {
        module.array_map(record, outputs)
    })
}

fn each_record<'a>(
    kind: Kind,
    buffer: &[u8],
    version: i32,
    out: &'a mut Vec<u8>,
    mut step: impl FnMut(&Record, &mut Outputs) -> Result<()>,
) -> Answer<'a> {
    let input = Input::parse(buffer, version, false).ok_or(Code::CannotDecode)?;
    let records = &buffer[..input.counted.end];
    let mut at = input.records_start();
    let mut record_count = 0;
    out.extend([0; COUNT_BYTES]);
    for _ in 0..input.record_count {
        let (record, end) = Record::read(records, at, input.base).ok_or(Code::CannotDecode)?;
        let before = out.len();
        let mut outputs = Outputs::new(out, &record);
        if let Err(error) = step(&record, &mut outputs) {
            out.truncate(before);
            put_count(out, record_count);
            put_failure(out, kind, &record, &error);
            return reply(record_count, out);
        }
        record_count += outputs.record_count;
        at = end;
    }
    put_count(out, record_count);
    out.push(NO_FAILURE);
    reply(record_count, out)
}
