//! sum: exact for integers of 64 bits, else a float.

use dataflare_fold::{Fold, Folding, Result, Sum, Value, number, smartmodule};

struct Total(Sum);

impl Fold for Total {
    fn read(state: Value) -> Option<Self> {
        Self::begin(state).ok()
    }

    fn begin(value: Value) -> Result<Self> {
        Sum::of(number(value)?).map(Self)
    }

    fn add(&mut self, value: Value) -> Result<()> {
        self.0 = self.0.plus(number(value)?)?;
        Ok(())
    }

    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
}

smartmodule!(aggregate: Folding<Total>);
