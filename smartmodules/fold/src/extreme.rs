//! The least and the greatest, as it stood in its record.

use crate::{Fold, Number, Result, Value, number};
use std::cmp::Ordering;

/// The number that was least or greatest so far; of equal ones the first.
pub struct Extreme<const LEAST: bool> {
    number: Number,
    text: Vec<u8>,
}

impl<const LEAST: bool> Extreme<LEAST> {
    fn is_beaten_by(&self, number: Number) -> bool {
        let order = number.compare(self.number);
        order
            == if LEAST {
                Ordering::Less
            } else {
                Ordering::Greater
            }
    }
}

impl<const LEAST: bool> Fold for Extreme<LEAST> {
    fn read(state: Value) -> Option<Self> {
        Self::begin(state).ok()
    }

    fn begin(value: Value) -> Result<Self> {
        Ok(Self {
            number: number(value)?,
            text: value.raw().into(),
        })
    }

    fn add(&mut self, value: Value) -> Result<()> {
        let number = number(value)?;
        if self.is_beaten_by(number) {
            self.number = number;
            self.text.clear();
            self.text.extend_from_slice(value.raw());
        }
        Ok(())
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.text);
    }
}
