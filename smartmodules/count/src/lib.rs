//! count: how many records there were so far.

use dataflare_fold::{Fold, Folding, Param, Result, Value, put_integer, smartmodule};

struct Count(u64);

impl Fold for Count {
    const FIELD: Param =
        Param::optional("field", "the path of a field that every record has to have")
            .example("order.total");

    fn read(state: Value) -> Option<Self> {
        std::str::from_utf8(state.raw())
            .ok()?
            .parse()
            .ok()
            .map(Self)
    }

    fn begin(_: Value) -> Result<Self> {
        Ok(Self(1))
    }

    fn add(&mut self, _: Value) -> Result<()> {
        self.0 += 1;
        Ok(())
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_integer(out, self.0);
    }
}

smartmodule!(aggregate: Folding<Count>);
