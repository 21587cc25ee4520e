//! Filters: what is kept stays where it is, or moves down over what was dropped.
//!
//! The output of a filter is never longer than its input, so it is made in place: a call that
//! keeps everything copies nothing.

use crate::SmartModule;
use crate::error::Result;
use crate::record::{Input, Record};
use crate::reply::{Answer, Code, Kind, NO_FAILURE, put_count, put_failure, reply};

/// Keeps some records, byte for byte.
pub trait Filter: SmartModule {
    fn filter(&mut self, record: &Record) -> Result<bool>;
}

/// Runs a filter over an input. Only errors need `out`.
pub fn filter<'a, M: Filter>(
    module: &mut M,
    buffer: &'a mut [u8],
    version: i32,
    out: &'a mut Vec<u8>,
) -> Answer<'a> {
    let input = Input::parse(buffer, version, false).ok_or(Code::CannotDecode)?;
    let mut kept = Kept::new(&input);
    let mut failed = false;
    let mut at = input.records_start();
    for _ in 0..input.record_count {
        let records = &buffer[..input.counted.end];
        let (record, end) = Record::read(records, at, input.base).ok_or(Code::CannotDecode)?;
        match module.filter(&record) {
            Ok(true) => kept.record_count += 1,
            Ok(false) => kept.skip(buffer, at, end),
            Err(error) => {
                put_failure(out, Kind::Filter, &record, &error);
                failed = true;
                break;
            }
        }
        at = end;
    }
    kept.skip(buffer, at, at);
    put_count(&mut buffer[input.counted.start..], kept.record_count);
    if failed {
        out.splice(0..0, buffer[input.counted.start..kept.end].iter().copied());
        return reply(kept.record_count, out);
    }
    // Every version has something behind the records: there is room for the tag.
    *buffer.get_mut(kept.end).ok_or(Code::CannotEncode)? = NO_FAILURE;
    reply(kept.record_count, &buffer[input.counted.start..=kept.end])
}

/// The records kept so far: `..end` are in place, `stretch_start..` will move there at once.
struct Kept {
    end: usize,
    stretch_start: usize,
    record_count: usize,
}

impl Kept {
    fn new(input: &Input) -> Self {
        Self {
            end: input.records_start(),
            stretch_start: input.records_start(),
            record_count: 0,
        }
    }

    /// Ends a stretch of neighbours before `from`; the next one begins at `to`.
    #[inline]
    fn skip(&mut self, buffer: &mut [u8], from: usize, to: usize) {
        if self.end != self.stretch_start {
            buffer.copy_within(self.stretch_start..from, self.end);
        }
        self.end += from - self.stretch_start;
        self.stretch_start = to;
    }
}
