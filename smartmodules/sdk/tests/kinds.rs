//! What the loops over records make of whole inputs.

mod host;

use dataflare_smartmodule::{
    Aggregate, ArrayMap, Filter, FilterMap, LookBack, Map, Output, Outputs, Param, Params, Record,
    Result, SmartModule, aggregate, array_map, filter, filter_map, look_back, map,
};
use host::{Call, Failure, Received, Sent, VERSIONS};

/// Reads its orders in the value: to drop, to fail, or how often to repeat.
struct Obedient {
    seen: Vec<(i64, Option<i64>)>,
    sum: i64,
    text: Vec<u8>,
}

impl SmartModule for Obedient {
    const PARAMS: &'static [Param] = &[];

    fn new(_: &Params) -> Result<Self> {
        Ok(module())
    }
}

fn module() -> Obedient {
    Obedient {
        seen: Vec::new(),
        sum: 0,
        text: Vec::new(),
    }
}

impl Filter for Obedient {
    fn filter(&mut self, record: &Record) -> Result<bool> {
        self.seen.push((record.offset, record.timestamp));
        match record.value {
            [b'!', ..] => Err("as you like it".into()),
            value => Ok(!value.starts_with(b"-")),
        }
    }
}

impl Map for Obedient {
    fn map<'a>(&'a mut self, record: &Record<'a>) -> Result<Output<'a>> {
        Filter::filter(self, record)?;
        self.text = record.value.to_ascii_uppercase();
        let key = record.key;
        let value = &self.text;
        Ok(Output { key, value })
    }
}

impl FilterMap for Obedient {
    fn filter_map<'a>(&'a mut self, record: &Record<'a>) -> Result<Option<Output<'a>>> {
        match Filter::filter(self, record)? {
            true => self.map(record).map(Some),
            false => Ok(None),
        }
    }
}

impl ArrayMap for Obedient {
    fn array_map(&mut self, record: &Record, outputs: &mut Outputs) -> Result<()> {
        for part in record.value.split(|byte| *byte == b',') {
            match part {
                b"!" => return Err("as you like it".into()),
                part => outputs.push(record.key, part),
            }
        }
        Ok(())
    }
}

impl Aggregate for Obedient {
    fn load(&mut self, accumulator: &[u8]) -> Result<()> {
        self.sum = match accumulator {
            b"" => 0,
            text => std::str::from_utf8(text)
                .unwrap()
                .parse()
                .map_err(|_| "no number")?,
        };
        Ok(())
    }

    fn add<'a>(&'a mut self, record: &Record<'a>) -> Result<Option<Output<'a>>> {
        if !Filter::filter(self, record)? {
            return Ok(None);
        }
        self.sum += record.value.len() as i64;
        self.text = self.sum.to_string().into();
        let key = record.key;
        let value = &self.text;
        Ok(Some(Output { key, value }))
    }

    fn store(&mut self, accumulator: &mut Vec<u8>) {
        accumulator.extend(self.sum.to_string().bytes());
    }
}

impl LookBack for Obedient {
    fn look_back(&mut self, record: &Record) -> Result<()> {
        Filter::filter(self, record).map(drop)
    }
}

fn records(values: &[&str]) -> Vec<Sent> {
    let sent = |(index, value): (usize, &&str)| Sent::new(value).at(5, index as i64);
    values.iter().enumerate().map(sent).collect()
}

fn failure(offset: i64, kind: u8, value: &str) -> Option<Failure> {
    Some(Failure {
        hint: "as you like it".into(),
        offset,
        kind: Some(kind),
        key: None,
        value: value.into(),
    })
}

#[test]
fn a_filter_keeps_records_as_they_are_in_every_version() {
    for version in VERSIONS {
        let records = [
            Sent::new("a").key("k").at(-7, 0),
            Sent::new("-"),
            Sent::new("").key("").at(1 << 40, 1 << 40),
            Sent::new("-b"),
            Sent::new("-"),
            Sent::new("c"),
        ];
        let call = Call {
            version,
            records: &records,
            look_back: true,
            ..Call::default()
        };
        let (mut buffer, mut out) = (call.bytes(), Vec::new());
        let reply = filter(&mut module(), &mut buffer, version, &mut out).unwrap();

        assert_eq!(3, reply.status);
        let mut received = Received(reply.bytes);
        let kept = [&records[0], &records[2], &records[5]];
        assert_eq!(kept.map(Clone::clone), received.records()[..]);
        assert_eq!(None, received.failure());
        received.end();
    }
}

#[test]
fn a_filter_keeps_any_choice_of_records() {
    for choice in 0..1u32 << 8 {
        let value = |index: u32| {
            if choice >> index & 1 == 1 {
                "keep"
            } else {
                "-drop it"
            }
        };
        let records = records(&(0..8).map(value).collect::<Vec<_>>());
        let (mut buffer, mut out) = (
            Call {
                records: &records,
                ..Call::default()
            }
            .bytes(),
            Vec::new(),
        );
        let reply = filter(&mut module(), &mut buffer, 22, &mut out).unwrap();

        let kept: Vec<_> = records
            .into_iter()
            .filter(|each| each.value == b"keep")
            .collect();
        assert_eq!(kept, Received(reply.bytes).records());
    }
}

#[test]
fn records_know_their_offset_and_their_time() {
    let records = [Sent::new("a").at(-7, 0), Sent::new("b").at(8, 3)];
    for (version, base_timestamp, times) in [
        (21, 1000, [None, None]),
        (22, 1000, [Some(993), Some(1008)]),
        (25, -1, [None, None]),
        (25, 0, [Some(-7), Some(8)]),
    ] {
        let call = Call {
            version,
            base_timestamp,
            records: &records,
            ..Call::default()
        };
        let mut module = module();
        filter(&mut module, &mut call.bytes(), version, &mut Vec::new()).unwrap();

        assert_eq!([(100, times[0]), (103, times[1])], module.seen[..]);
    }
}

#[test]
fn a_filter_that_fails_returns_what_it_kept_before() {
    let records = [
        Sent::new("-a"),
        Sent::new("b").at(0, 1),
        Sent::new("!c").key("k").at(0, 2),
        Sent::new("d").at(0, 3),
    ];
    let (mut buffer, mut out) = (
        Call {
            records: &records,
            ..Call::default()
        }
        .bytes(),
        Vec::new(),
    );
    let reply = filter(&mut module(), &mut buffer, 22, &mut out).unwrap();

    assert_eq!(1, reply.status);
    let mut received = Received(reply.bytes);
    assert_eq!(records[1..2], received.records());
    let expected = Failure {
        key: Some(b"k".into()),
        ..failure(102, 0, "!c").unwrap()
    };
    assert_eq!(Some(expected), received.failure());
    received.end();
}

#[test]
fn outputs_of_maps_have_the_deltas_of_their_source() {
    let records = [
        Sent::new("ab").key("k").at(-7, 9),
        Sent::new("-c").at(1 << 50, 10),
    ];
    let buffer = Call {
        records: &records,
        ..Call::default()
    }
    .bytes();
    let upper = |sent: &Sent| Sent {
        value: sent.value.to_ascii_uppercase(),
        ..sent.clone()
    };

    let (mut input, mut out) = (buffer.clone(), Vec::new());
    let reply = map(&mut module(), &mut input, 22, &mut out).unwrap();
    assert_eq!(2, reply.status);
    assert_eq!(
        [upper(&records[0]), upper(&records[1])],
        Received(reply.bytes).records()[..]
    );

    let (mut input, mut out) = (buffer, Vec::new());
    let reply = filter_map(&mut module(), &mut input, 22, &mut out).unwrap();
    assert_eq!(1, reply.status);
    assert_eq!([upper(&records[0])], Received(reply.bytes).records()[..]);
}

#[test]
fn an_array_map_that_fails_gives_nothing_of_that_record() {
    let records = records(&["a,b", "", "c,!,d", "e"]);
    let (mut buffer, mut out) = (
        Call {
            records: &records,
            ..Call::default()
        }
        .bytes(),
        Vec::new(),
    );
    let reply = array_map(&mut module(), &mut buffer, 22, &mut out).unwrap();

    assert_eq!(3, reply.status);
    let mut received = Received(reply.bytes);
    let expected = [
        Sent::new("a").at(5, 0),
        Sent::new("b").at(5, 0),
        Sent::new("").at(5, 1),
    ];
    assert_eq!(expected, received.records()[..]);
    assert_eq!(failure(102, 2, "c,!,d"), received.failure());
    received.end();
}

/// Runs an aggregate over records, and returns values, error and accumulator.
fn run_aggregate(
    version: i32,
    values: &[&str],
    accumulator: &[u8],
) -> (Vec<String>, Option<Failure>, Vec<u8>) {
    let records = records(values);
    let accumulator = Some(accumulator);
    let call = Call {
        version,
        records: &records,
        accumulator,
        ..Call::default()
    };
    let (mut buffer, mut out) = (call.bytes(), Vec::new());
    let reply = aggregate(&mut module(), &mut buffer, version, &mut out).unwrap();
    let mut received = Received(reply.bytes);
    let value = |record: Sent| String::from_utf8(record.value).unwrap();
    let values: Vec<_> = received.records().into_iter().map(value).collect();
    assert_eq!(values.len(), reply.status as usize);
    let parts = (values, received.failure(), received.accumulator());
    received.end();
    parts
}

#[test]
fn an_aggregate_goes_on_from_its_accumulator_in_every_version() {
    for version in VERSIONS {
        let (values, failure, accumulator) = run_aggregate(version, &["ab", "-", "c"], b"40");

        assert_eq!(["42", "43"], values[..]);
        assert_eq!(None, failure);
        assert_eq!(b"43", &accumulator[..]);
    }
}

#[test]
fn without_records_any_accumulator_returns_as_it_came() {
    assert_eq!(
        (vec![], None, b"prb".into()),
        run_aggregate(22, &[], b"prb")
    );
}

#[test]
fn an_aggregate_that_fails_returns_the_accumulator_from_before() {
    let (values, failed, accumulator) = run_aggregate(22, &["ab", "!", "c"], b"");

    assert_eq!(["2"], values[..]);
    assert_eq!(failure(101, 3, "!"), failed);
    assert_eq!(b"2", &accumulator[..]);
}

#[test]
fn an_accumulator_that_is_none_is_the_first_record_s_error() {
    let (values, failed, accumulator) = run_aggregate(22, &["ab"], b"many");

    assert!(values.is_empty());
    let hint = "Cannot go on from the initial accumulator\n\nCaused by:\n    no number";
    assert_eq!(hint, failed.unwrap().hint);
    assert_eq!(b"many", &accumulator[..]);
}

#[test]
fn a_look_back_answers_only_if_it_fails() {
    for (values, status) in [(["a", "b"], 0), (["a", "!b"], -99)] {
        let records = records(&values);
        let call = Call {
            records: &records,
            base_offset: 0,
            ..Call::default()
        };
        let (mut buffer, mut out) = (call.bytes(), Vec::new());
        let reply = look_back(&mut module(), &mut buffer, 22, &mut out).unwrap();

        assert_eq!(status, reply.status);
        if status == 0 {
            assert_eq!(b"", reply.bytes);
            continue;
        }
        let mut received = Received(reply.bytes);
        let expected = Failure {
            kind: None,
            ..failure(1, 0, "!b").unwrap()
        };
        assert_eq!(expected, received.some_failure(false));
        received.end();
    }
}
