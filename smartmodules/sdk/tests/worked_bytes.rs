//! Bytes that Fluvio's engine and its modules have exchanged.

use dataflare_smartmodule::{
    Aggregate, Filter, Output, Param, Params, Record, Result, SmartModule, aggregate, filter,
};

/// Keeps values with an `a`, and joins values.
struct Example(Vec<u8>);

impl SmartModule for Example {
    const PARAMS: &'static [Param] = &[];

    fn new(_: &Params) -> Result<Self> {
        Ok(Self(Vec::new()))
    }
}

impl Filter for Example {
    fn filter(&mut self, record: &Record) -> Result<bool> {
        let text = std::str::from_utf8(record.value).map_err(|error| error.to_string())?;
        Ok(text.contains('a'))
    }
}

impl Aggregate for Example {
    fn load(&mut self, accumulator: &[u8]) -> Result<()> {
        self.0 = accumulator.into();
        Ok(())
    }

    fn add<'a>(&'a mut self, record: &Record<'a>) -> Result<Option<Output<'a>>> {
        self.0.extend(record.value);
        let key = record.key;
        let value = &self.0;
        Ok(Some(Output { key, value }))
    }

    fn store(&mut self, accumulator: &mut Vec<u8>) {
        accumulator.extend(&self.0);
    }
}

/// Reads hexadecimal bytes; what stands behind a `|` is a remark.
fn bytes(text: &str) -> Vec<u8> {
    let lines = text
        .lines()
        .map(|line| line.split('|').next().unwrap_or_default());
    let words = lines.flat_map(str::split_whitespace);
    words
        .map(|word| u8::from_str_radix(word, 16).unwrap())
        .collect()
}

const TWO_RECORDS: &str = "
    00 00 00 00 00 00 00 64                          | base_offset 100
    00 00 00 1f  00 00 00 02                         | 31 bytes, 2 records
    16 00 00 00 00 0a 61 70 70 6c 65 00              | apple
    1c 00 0a 02 01 04 6b 31 0a 66 72 75 69 74 00     | +5 ms, +1, k1: fruit
";

#[test]
fn a_filter_keeps_one_of_two() {
    for (version, rest) in [
        (22, "00 00 00  00 00 00 00  00 00 01 8b cf e5 68 00"),
        (25, "00 00 01 8b cf e5 68 00"),
        (17, "00 00  00 00 00 00"),
    ] {
        let mut buffer = bytes(&[TWO_RECORDS, rest].concat());
        let mut out = Vec::new();
        let reply = filter(&mut Example(Vec::new()), &mut buffer, version, &mut out).unwrap();

        assert_eq!(1, reply.status);
        let expected = "00 00 00 01  16 00 00 00 00 0a 61 70 70 6c 65 00  00";
        assert_eq!(bytes(expected), reply.bytes);
    }
}

#[test]
fn an_error_comes_with_its_record() {
    let mut buffer = bytes(
        "00 00 00 00 00 00 00 64
         00 00 00 1c  00 00 00 02
         16 00 00 00 00 0a 61 70 70 6c 65 00         | apple
         16 00 00 02 01 04 6b 6b 04 ff fe 00         | kk: ff fe
         00 00 00  00 00 00 00  00 00 01 8b cf e5 68 00",
    );
    let mut out = Vec::new();
    let reply = filter(&mut Example(Vec::new()), &mut buffer, 22, &mut out).unwrap();

    let mut expected = bytes("00 00 00 01  16 00 00 00 00 0a 61 70 70 6c 65 00  01 00 2e");
    expected.extend(b"invalid utf-8 sequence of 1 bytes from index 0");
    expected.extend(bytes("00 00 00 00 00 00 00 65  00  01 04 6b 6b  04 ff fe"));
    assert_eq!((1, &expected[..]), (reply.status, reply.bytes));
}

#[test]
fn an_aggregate_joins() {
    let mut buffer = bytes(
        "00 00 00 00 00 00 00 00
         00 00 00 0c  00 00 00 01  0e 00 00 00 00 02 62 00
         00 00 00  00 00 00 00  00 00 01 8b cf e5 68 00
         00 00 00 01 61",
    );
    let mut out = Vec::new();
    let reply = aggregate(&mut Example(Vec::new()), &mut buffer, 22, &mut out).unwrap();

    let expected = "00 00 00 01  10 00 00 00 00 04 61 62 00  00  00 00 00 02 61 62";
    assert_eq!((1, &bytes(expected)[..]), (reply.status, reply.bytes));
}

#[test]
fn garbage_is_refused() {
    let (mut buffer, mut out) = ([0, 1], Vec::new());
    let refused = filter(&mut Example(Vec::new()), &mut buffer, 22, &mut out);

    assert_eq!(-11, refused.unwrap_err() as i32);
}
