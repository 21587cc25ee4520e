//! average: with the sum and the count that it is made of.

use dataflare_fold::{
    Fold, Folding, Result, Sum, Value, number, put_float, put_integer, smartmodule,
};

struct Average {
    sum: Sum,
    count: u64,
}

impl Fold for Average {
    fn read(state: Value) -> Option<Self> {
        let (mut sum, mut count) = (None, None);
        for (name, value) in state.members() {
            match name.text(&mut Vec::new()) {
                b"sum" => sum = Some(Sum::of(number(value).ok()?).ok()?),
                b"count" => count = std::str::from_utf8(value.raw()).ok()?.parse().ok(),
                _ => {}
            }
        }
        Some(Self {
            sum: sum?,
            count: count.filter(|count| *count > 0)?,
        })
    }

    fn begin(value: Value) -> Result<Self> {
        Ok(Self {
            sum: Sum::of(number(value)?)?,
            count: 1,
        })
    }

    fn add(&mut self, value: Value) -> Result<()> {
        self.sum = self.sum.plus(number(value)?)?;
        self.count += 1;
        Ok(())
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"average\":");
        put_float(out, self.sum.to_float() / self.count as f64);
        out.extend_from_slice(b",\"count\":");
        put_integer(out, self.count);
        out.extend_from_slice(b",\"sum\":");
        self.sum.put(out);
        out.push(b'}');
    }
}

smartmodule!(aggregate: Folding<Average>);
