//! sample: keeps a part of the records, the same ones every time.

use dataflare_smartmodule::{Filter, Param, Params, Record, Result, SmartModule, smartmodule};
use xxhash_rust::xxh64::xxh64;

const RATE: Param = Param::optional("rate", "which part to keep, from 0 to 1").example("0.01");
const EVERY: Param = Param::optional(
    "every",
    "keeps the records whose offset is a multiple of this",
)
.example("100");
const BY: Param = Param::optional(
    "by",
    "what decides at a rate: value, key (all records of a key share their fate) or offset",
)
.default("value");
const SEED: Param = Param::optional("seed", "another number makes another choice").default("0");

enum Choice {
    /// Hashes below the limit are kept; the hash is XXH64.
    Rate {
        by: By,
        seed: u64,
        limit: u128,
    },
    Every(i64),
}

#[derive(Clone, Copy)]
enum By {
    Value,
    Key,
    Offset,
}

struct Sample(Choice);

impl SmartModule for Sample {
    const PARAMS: &'static [Param] = &[RATE, EVERY, BY, SEED];

    fn new(params: &Params) -> Result<Self> {
        let every = params.parse_optional(&EVERY, parse_every)?;
        let limit = params.parse_optional(&RATE, parse_rate)?;
        let by = [
            ("value", By::Value),
            ("key", By::Key),
            ("offset", By::Offset),
        ];
        let by = params.choice(&BY, &by)?;
        let seed = params.parse(&SEED, str::parse)?;
        match (limit, every) {
            (Some(limit), None) => Ok(Self(Choice::Rate { by, seed, limit })),
            (None, Some(every)) => Ok(Self(Choice::Every(every))),
            (None, None) => Err("Missing param rate or every".into()),
            (Some(_), Some(_)) => Err("Params rate and every exclude each other".into()),
        }
    }
}

/// Returns how many of all the hashes are below the limit.
fn parse_rate(text: &str) -> std::result::Result<u128, &'static str> {
    let rate: Option<f64> = text.parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
    let hashes = (1u128 << u64::BITS) as f64;
    rate.map(|rate| (rate * hashes) as u128)
        .ok_or("it has to be from 0 to 1")
}

fn parse_every(text: &str) -> std::result::Result<i64, &'static str> {
    let every: Option<i64> = text.parse().ok().filter(|every| *every > 0);
    every.ok_or("it has to be a number from 1 on")
}

impl Filter for Sample {
    fn filter(&mut self, record: &Record) -> Result<bool> {
        Ok(match self.0 {
            Choice::Every(every) => record.offset % every == 0,
            Choice::Rate { by, seed, limit } => {
                let hash = match by {
                    By::Value => xxh64(record.value, seed),
                    By::Key => xxh64(record.key.unwrap_or_default(), seed),
                    By::Offset => xxh64(&record.offset.to_le_bytes(), seed),
                };
                u128::from(hash) < limit
            }
        })
    }
}

smartmodule!(filter: Sample);
