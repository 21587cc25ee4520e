//! Look-back: the records that were there before, shown to a module before it runs.

use crate::SmartModule;
use crate::error::Result;
use crate::record::{Input, Record};
use crate::reply::{Answer, Code, put_error, refusal, reply};

/// Learns from records of the past; they give no output.
pub trait LookBack: SmartModule {
    fn look_back(&mut self, record: &Record) -> Result<()>;
}

/// Shows an input to a module.
pub fn look_back<'a, M: LookBack>(
    module: &mut M,
    buffer: &'a mut [u8],
    version: i32,
    out: &'a mut Vec<u8>,
) -> Answer<'a> {
    let input = Input::parse(buffer, version, false).ok_or(Code::LookBackCannotDecode)?;
    let records = &buffer[..input.counted.end];
    let mut at = input.records_start();
    for _ in 0..input.record_count {
        let read = Record::read(records, at, input.base);
        let (record, end) = read.ok_or(Code::LookBackCannotDecodeRecords)?;
        if let Err(error) = module.look_back(&record) {
            put_error(out, None, &record, &error);
            return refusal(Code::LookBackFailed, out);
        }
        at = end;
    }
    reply(0, out)
}
