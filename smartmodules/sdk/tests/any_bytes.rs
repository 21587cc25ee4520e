//! Any bytes may come in.
//!
//! Invariants checked: no call panics; what is cut off anywhere is refused with the kind's code;
//! a reply has as many records as it says.

mod host;

use dataflare_smartmodule::{
    Aggregate, ArrayMap, Filter, Map, Output, Outputs, Param, Params, Record, Result, SmartModule,
    aggregate, array_map, filter, map,
};
use host::{Call, Random, Received, Sent, VERSIONS};

/// Keeps or repeats everything; fails at values that begin with 7.
struct Echo;

impl SmartModule for Echo {
    const PARAMS: &'static [Param] = &[];

    fn new(_: &Params) -> Result<Self> {
        Ok(Self)
    }
}

impl Filter for Echo {
    fn filter(&mut self, record: &Record) -> Result<bool> {
        match record.value.first() {
            Some(7) => Err("seven".into()),
            first => Ok(first.is_none_or(|byte| byte % 2 == 0)),
        }
    }
}

impl Map for Echo {
    fn map<'a>(&'a mut self, record: &Record<'a>) -> Result<Output<'a>> {
        let (key, value) = (record.key, record.value);
        self.filter(record).map(|_| Output { key, value })
    }
}

impl ArrayMap for Echo {
    fn array_map(&mut self, record: &Record, outputs: &mut Outputs) -> Result<()> {
        outputs.push(record.key, record.value);
        outputs.push(None, record.value);
        self.filter(record).map(drop)
    }
}

impl Aggregate for Echo {
    fn load(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn add<'a>(&'a mut self, record: &Record<'a>) -> Result<Option<Output<'a>>> {
        self.map(record).map(Some)
    }

    fn store(&mut self, accumulator: &mut Vec<u8>) {
        accumulator.extend(b"stored");
    }
}

/// Runs all kinds on an input, and returns their codes or numbers of records.
fn run(input: &[u8], version: i32) -> [i32; 4] {
    let mut statuses = [0; 4];
    for (kind, status) in statuses.iter_mut().enumerate() {
        let (mut buffer, mut out) = (input.to_vec(), Vec::new());
        let answer = match kind {
            0 => filter(&mut Echo, &mut buffer, version, &mut out),
            1 => map(&mut Echo, &mut buffer, version, &mut out),
            2 => array_map(&mut Echo, &mut buffer, version, &mut out),
            _ => aggregate(&mut Echo, &mut buffer, version, &mut out),
        };
        *status = match answer {
            Ok(reply) => {
                let count = u32::from_be_bytes(reply.bytes[..4].try_into().unwrap());
                assert_eq!(reply.status, count as i32);
                reply.status
            }
            Err(code) => code as i32,
        };
    }
    statuses
}

fn records(random: &mut Random) -> Vec<Sent> {
    (0..random.below(6))
        .map(|index| Sent {
            timestamp_delta: random.next() as i64 >> random.below(64),
            offset_delta: index as i64,
            key: (random.below(2) == 0).then(|| random.bytes(200)),
            value: random.bytes(300),
        })
        .collect()
}

#[test]
fn what_is_cut_off_is_refused() {
    let mut random = Random(1);
    for version in VERSIONS {
        let records = records(&mut random);
        let call = Call {
            version,
            records: &records,
            params: &[("name", "value")],
            look_back: true,
            accumulator: Some(b"accumulator"),
            ..Call::default()
        };
        let whole = call.bytes();
        assert!(run(&whole, version).iter().all(|status| *status >= 0));

        let needed = whole.len() - 4 - b"accumulator".len();
        for length in 0..whole.len() {
            let statuses = run(&whole[..length], version);
            assert_eq!(
                -11,
                statuses[3],
                "{length} of {} bytes, version {version}",
                whole.len()
            );
            if length < needed {
                assert_eq!([-11; 3], statuses[..3], "{length} of {needed} bytes");
            }
        }
    }
}

#[test]
fn records_that_are_cut_off_are_refused() {
    let record = Sent::new("value").key("key").bytes();
    for length in 0..record.len() {
        let mut input = 0i64.to_be_bytes().to_vec();
        input.extend((4 + length as u32).to_be_bytes());
        input.extend(1u32.to_be_bytes());
        input.extend(&record[..length]);
        input.extend(0i64.to_be_bytes());
        input.extend(0u32.to_be_bytes());

        assert_eq!(
            [-11, -11, -11, -22],
            run(&input, 25),
            "{length} bytes of a record"
        );
    }
}

#[test]
fn bytes_that_change_on_the_way_do_no_harm() {
    let mut random = Random(2);
    for _ in 0..20_000 {
        let version = 16 + random.below(10) as i32;
        let records = records(&mut random);
        let call = Call {
            version,
            records: &records,
            accumulator: Some(b"a"),
            ..Call::default()
        };
        let mut input = call.bytes();
        for _ in 0..=random.below(3) {
            let index = random.below(input.len());
            input[index] = random.next() as u8;
        }
        run(&input, version);
    }
}

#[test]
fn random_bytes_do_no_harm() {
    let mut random = Random(3);
    for _ in 0..20_000 {
        let version = random.below(30) as i32;
        run(&random.bytes(100), version);
    }
}

#[test]
fn lengths_that_lie_are_not_believed() {
    for lie in [0xff, 0x7f, 0x80] {
        let mut input = Call {
            records: &[Sent::new("value")],
            ..Call::default()
        }
        .bytes();
        for index in 8..16 {
            let mut input = input.clone();
            input[index] = lie;
            run(&input, 22);
        }
        input[12..16].fill(lie);
        assert!(run(&input, 22)[0] <= 0);
    }
}

#[test]
fn what_is_sent_back_can_be_read() {
    let mut random = Random(4);
    for _ in 0..2_000 {
        let records = records(&mut random);
        let (mut buffer, mut out) = (
            Call {
                records: &records,
                ..Call::default()
            }
            .bytes(),
            Vec::new(),
        );
        let reply = map(&mut Echo, &mut buffer, 22, &mut out).unwrap();
        let mut received = Received(reply.bytes);
        let expected = records
            .iter()
            .take_while(|record| record.value.first() != Some(&7));
        assert_eq!(expected.cloned().collect::<Vec<_>>(), received.records());
        received.failure();
        received.end();
    }
}
