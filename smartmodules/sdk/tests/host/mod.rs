//! A host in a few lines: inputs to bytes, and outputs back.
#![allow(dead_code)] // each test file uses a part

use std::collections::BTreeMap;

pub const VERSIONS: std::ops::RangeInclusive<i32> = 16..=25;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub timestamp_delta: i64,
    pub offset_delta: i64,
    pub key: Option<Vec<u8>>,
    pub value: Vec<u8>,
}

impl Sent {
    pub fn new(value: &str) -> Self {
        Self {
            timestamp_delta: 0,
            offset_delta: 0,
            key: None,
            value: value.into(),
        }
    }

    pub fn key(self, key: &str) -> Self {
        let key = Some(key.into());
        Self { key, ..self }
    }

    pub fn at(self, timestamp_delta: i64, offset_delta: i64) -> Self {
        Self {
            timestamp_delta,
            offset_delta,
            ..self
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut body = vec![0];
        put_varint(&mut body, self.timestamp_delta);
        put_varint(&mut body, self.offset_delta);
        body.push(self.key.is_some() as u8);
        for part in self.key.iter().chain([&self.value]) {
            put_varint(&mut body, part.len() as i64);
            body.extend(part);
        }
        put_varint(&mut body, 0);
        let mut bytes = Vec::new();
        put_varint(&mut bytes, body.len() as i64);
        bytes.extend(body);
        bytes
    }
}

/// An input of any kind and version.
pub struct Call<'a> {
    pub version: i32,
    pub base_offset: i64,
    pub base_timestamp: i64,
    pub records: &'a [Sent],
    pub params: &'a [(&'a str, &'a str)],
    pub look_back: bool,
    pub accumulator: Option<&'a [u8]>,
}

impl Default for Call<'_> {
    fn default() -> Self {
        Self {
            version: 22,
            base_offset: 100,
            base_timestamp: 1_700_000_000_000,
            records: &[],
            params: &[],
            look_back: false,
            accumulator: None,
        }
    }
}

impl Call<'_> {
    pub fn bytes(&self) -> Vec<u8> {
        let mut records = (self.records.len() as u32).to_be_bytes().to_vec();
        self.records
            .iter()
            .for_each(|record| records.extend(record.bytes()));
        let mut bytes = self.base_offset.to_be_bytes().to_vec();
        put_block(&mut bytes, &records);
        if self.version <= 22 {
            bytes.extend(self.param_bytes());
            put_block(&mut bytes, b"");
        }
        if self.version >= 22 {
            bytes.extend(self.base_timestamp.to_be_bytes());
        }
        if let Some(accumulator) = self.accumulator {
            put_block(&mut bytes, accumulator);
        }
        bytes
    }

    /// The input of `init`, which is in every input up to version 22, too.
    pub fn param_bytes(&self) -> Vec<u8> {
        let params: BTreeMap<_, _> = self.params.iter().copied().collect();
        let mut bytes = (params.len() as u16).to_be_bytes().to_vec();
        for text in params.into_iter().flat_map(|(name, value)| [name, value]) {
            bytes.extend((text.len() as u16).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        if self.version >= 20 {
            bytes.push(self.look_back as u8);
        }
        if self.version >= 20 && self.look_back {
            bytes.extend(10u64.to_be_bytes());
        }
        if self.version >= 21 && self.look_back {
            bytes.push(1);
            bytes.extend([0; 12]);
        }
        bytes
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub hint: String,
    pub offset: i64,
    pub kind: Option<u8>,
    pub key: Option<Vec<u8>>,
    pub value: Vec<u8>,
}

/// Reads what a module sent; it has to be all there is.
pub struct Received<'a>(pub &'a [u8]);

impl Received<'_> {
    pub fn records(&mut self) -> Vec<Sent> {
        let count = self.u32();
        (0..count).map(|_| self.record()).collect()
    }

    pub fn failure(&mut self) -> Option<Failure> {
        (self.u8() == 1).then(|| self.some_failure(true))
    }

    pub fn some_failure(&mut self, has_kind: bool) -> Failure {
        let length = u16::from_be_bytes(self.array());
        Failure {
            hint: String::from_utf8(self.take(length.into())).unwrap(),
            offset: i64::from_be_bytes(self.array()),
            kind: has_kind.then(|| self.u8()),
            key: self.optional(),
            value: self.varint_block(),
        }
    }

    pub fn accumulator(&mut self) -> Vec<u8> {
        let length = self.u32();
        self.take(length as usize)
    }

    pub fn end(self) {
        assert_eq!(b"", self.0, "nothing follows");
    }

    fn record(&mut self) -> Sent {
        let body_bytes = self.varint();
        let before = self.0.len();
        assert_eq!(0, self.u8(), "attributes");
        let sent = Sent {
            timestamp_delta: self.varint(),
            offset_delta: self.varint(),
            key: self.optional(),
            value: self.varint_block(),
        };
        assert_eq!(0, self.varint(), "headers");
        assert_eq!(
            body_bytes,
            (before - self.0.len()) as i64,
            "bytes of the body"
        );
        sent
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken.into()
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        self.take(N).try_into().unwrap()
    }

    fn u8(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    fn optional(&mut self) -> Option<Vec<u8>> {
        (self.u8() == 1).then(|| self.varint_block())
    }

    fn varint_block(&mut self) -> Vec<u8> {
        let length = self.varint();
        self.take(length as usize)
    }

    fn varint(&mut self) -> i64 {
        let mut number = 0u64;
        for index in 0.. {
            let byte = self.u8();
            number |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                break;
            }
        }
        (number >> 1) as i64 ^ -((number & 1) as i64)
    }
}

fn put_block(bytes: &mut Vec<u8>, block: &[u8]) {
    bytes.extend((block.len() as u32).to_be_bytes());
    bytes.extend(block);
}

fn put_varint(bytes: &mut Vec<u8>, number: i64) {
    let mut left = (number << 1 ^ number >> 63) as u64;
    while left >= 0x80 {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
}

/// Numbers that look random, and are the same in every run: xorshift64*.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 32) as usize % limit
    }

    pub fn bytes(&mut self, count_max: usize) -> Vec<u8> {
        let count = self.below(count_max + 1);
        (0..count).map(|_| self.next() as u8).collect()
    }
}
