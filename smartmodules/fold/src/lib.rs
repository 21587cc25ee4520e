//! What sum, count, average, min and max have in common: a number of each record is folded into
//! a state, one for all records or one for each group of them.

mod accumulator;
mod extreme;
mod sum;

pub use dataflare_json::{Number, Value};
pub use dataflare_smartmodule::{Param, Result, smartmodule};
pub use extreme::Extreme;
pub use sum::{Sum, put_float, put_integer};

use accumulator::Accumulator;
use dataflare_json::{Fields, Path};
use dataflare_smartmodule::{Aggregate, Output, Params, Record, SmartModule};

/// The state of a fold. As JSON it is what accumulators are made of.
pub trait Fold: Sized {
    /// The parameter that names what is folded.
    const FIELD: Param = Param::required("field", "the path of the number").example("order.total");

    /// Reads what `put` wrote.
    fn read(state: Value) -> Option<Self>;

    /// Begins with a value: `null` if the parameter may be left out, and is.
    fn begin(value: Value) -> Result<Self>;

    /// Adds a value, unless it fails: then nothing has changed.
    fn add(&mut self, value: Value) -> Result<()>;

    /// Appends the state as JSON.
    fn put(&self, out: &mut Vec<u8>);
}

/// Reads a value that has to be a number.
pub fn number(value: Value) -> Result<Number> {
    value.number().ok_or_else(|| {
        let text = String::from_utf8_lossy(value.raw());
        format!("{text} is not a number").into()
    })
}

const BY: Param = Param::optional(
    "by",
    "the path of the group: each output then has the group as its key, and only its state",
)
.example("customer");
const INVALID: Param = Param::optional(
    "invalid",
    "what becomes of a record that is not JSON or lacks a field: error, or skip (it does not \
     count and gives no output)",
)
.default("error");

/// An aggregate of one kind of fold.
pub struct Folding<F> {
    /// The paths, as they were given, of what is folded and of the group.
    field: Option<String>,
    by: Option<String>,
    /// Those that there are of both, in this order.
    fields: Fields,
    skip_invalid: bool,
    accumulator: Accumulator<F>,
    /// The group and the new state of the last record.
    group: Vec<u8>,
    state: Vec<u8>,
}

impl<F: Fold> SmartModule for Folding<F> {
    const PARAMS: &'static [Param] = &[F::FIELD, BY, INVALID];
    const STATELESS: bool = false;

    fn new(params: &Params) -> Result<Self> {
        let mut paths = Vec::new();
        if !F::FIELD.optional || params.get(&F::FIELD).is_some() {
            paths.push(params.parse(&F::FIELD, Path::parse)?);
        }
        paths.extend(params.parse_optional(&BY, Path::parse)?);
        Ok(Self {
            field: params.get(&F::FIELD).map(str::to_owned),
            by: params.get(&BY).map(str::to_owned),
            fields: Fields::new(&paths),
            skip_invalid: params.choice(&INVALID, &[("error", false), ("skip", true)])?,
            accumulator: Accumulator::new(params.get(&BY).is_some()),
            group: Vec::new(),
            state: Vec::new(),
        })
    }
}

impl<F: Fold> Aggregate for Folding<F> {
    fn load(&mut self, accumulator: &[u8]) -> Result<()> {
        self.accumulator.load(accumulator)
    }

    fn add<'a>(&'a mut self, record: &Record<'a>) -> Result<Option<Output<'a>>> {
        match self.fold(record) {
            Ok(()) => {}
            Err(_) if self.skip_invalid => return Ok(None),
            Err(error) => return Err(error),
        }
        let key = match self.by {
            Some(_) => Some(&self.group[..]),
            None => record.key,
        };
        let value = &self.state;
        Ok(Some(Output { key, value }))
    }

    fn store(&mut self, accumulator: &mut Vec<u8>) {
        self.accumulator.store(accumulator);
    }
}

impl<F: Fold> Folding<F> {
    fn fold(&mut self, record: &Record) -> Result<()> {
        let mut value = Value::NULL;
        self.group.clear();
        if self.field.is_some() || self.by.is_some() {
            let mut found = self.fields.find(record.value)?;
            if let Some(field) = &self.field {
                value = present(found.next(), field)?;
            }
            if let Some(by) = &self.by {
                present(found.next(), by)?.put_text_or_json(&mut self.group);
            }
        }
        let state = self.accumulator.add(&self.group, value)?;
        self.state.clear();
        state.put(&mut self.state);
        Ok(())
    }
}

fn present<'a>(found: Option<Option<Value<'a>>>, path: &str) -> Result<Value<'a>> {
    found
        .flatten()
        .ok_or_else(|| format!("there is no {path}").into())
}
