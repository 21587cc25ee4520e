//! dedup: drops records that were there before.

mod memory;

use dataflare_json::{Field, Invalid, Kind, Value};
use dataflare_smartmodule::{
    Filter, LookBack, Param, Params, Record, Result, SmartModule, smartmodule,
};
use memory::{Digest, Memory};
use sha2::{Digest as _, Sha256};

const COUNT: Param = Param::optional(
    "count",
    "how many different ones to remember; above, the oldest is forgotten",
)
.default("100000");
const AGE: Param = Param::optional(
    "age",
    "for how long to remember them, by the records' own time: milliseconds, or 5s, 1m, 2h, 1d",
);
const BY: Param =
    Param::optional("by", "what makes two records the same: value, key or field").default("value");
const FIELD: Param = Param::optional("field", "the path of the field, with by=field").example("id");
const INVALID: Param = Param::optional(
    "invalid",
    "what becomes of a record without the key, that is not JSON or lacks the field: error, drop \
     or keep",
)
.default("error");

enum By {
    Value,
    Key,
    Field(Field),
}

struct Dedup {
    by: By,
    invalid: Invalid,
    memory: Memory,
    scratch: Vec<u8>,
}

impl SmartModule for Dedup {
    const PARAMS: &'static [Param] = &[COUNT, AGE, BY, FIELD, INVALID];
    const STATELESS: bool = false;

    fn new(params: &Params) -> Result<Self> {
        let count = params.parse(&COUNT, parse_count)?;
        let age_ms = params.parse_optional(&AGE, parse_age)?;
        let field = params.parse_optional(&FIELD, Field::parse)?;
        let by = params.choice(
            &BY,
            &[("value", "value"), ("key", "key"), ("field", "field")],
        )?;
        Ok(Self {
            by: match (by, field) {
                ("field", Some(field)) => By::Field(field),
                ("field", None) => return Err("Missing param field".into()),
                (_, Some(_)) => return Err("Param field is for by=field".into()),
                ("key", None) => By::Key,
                _ => By::Value,
            },
            invalid: Invalid::filterable(params, &INVALID)?,
            memory: Memory::new(count, age_ms),
            scratch: Vec::new(),
        })
    }
}

fn parse_count(text: &str) -> std::result::Result<usize, &'static str> {
    let count: Option<u64> = text.parse().ok().filter(|count| *count > 0);
    let count = count.ok_or("it has to be a number from 1 on")?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

fn parse_age(text: &str) -> std::result::Result<i64, &'static str> {
    let (digits, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    let unit_ms = match unit.trim() {
        "" | "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("its unit has to be ms, s, m, h or d"),
    };
    let count: Option<i64> = digits.parse().ok();
    count
        .and_then(|count| count.checked_mul(unit_ms))
        .ok_or("it has to be a number and a unit")
}

impl Filter for Dedup {
    fn filter(&mut self, record: &Record) -> Result<bool> {
        match self.digest(record) {
            Ok(digest) => Ok(self.memory.insert(digest, record.timestamp)),
            Err(error) => self.invalid.filter(error),
        }
    }
}

impl LookBack for Dedup {
    fn look_back(&mut self, record: &Record) -> Result<()> {
        self.filter(record).map(drop)
    }
}

impl Dedup {
    fn digest(&mut self, record: &Record) -> Result<Digest> {
        match &self.by {
            By::Value => Ok(digest(record.value)),
            By::Key => Ok(digest(record.key.ok_or("the record has no key")?)),
            By::Field(path) => {
                let value = path
                    .find(record.value)?
                    .ok_or("the record lacks the field")?;
                Ok(digest(distinct_bytes(value, &mut self.scratch)))
            }
        }
    }
}

/// Returns bytes that no other value has: a quote before text tells it from numbers and the like.
fn distinct_bytes<'a>(value: Value, scratch: &'a mut Vec<u8>) -> &'a [u8] {
    scratch.clear();
    if value.kind() == Kind::String {
        scratch.push(b'"');
    }
    value.put_text_or_json(scratch);
    scratch
}

/// Half of a SHA-256: no two records that differ have the same.
fn digest(bytes: &[u8]) -> Digest {
    let [half, _] = *Sha256::digest(bytes).as_chunks().0 else {
        unreachable!("a SHA-256 has 32 bytes");
    };
    Digest::from_le_bytes(half)
}

smartmodule!(filter, look_back: Dedup);
