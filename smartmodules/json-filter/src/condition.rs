//! Conditions on a field that may be missing.

use dataflare_json::{Kind, Number, Value};
use std::cmp::Ordering;

/// One condition.
pub enum Condition {
    In(Vec<Operand>),
    NotEquals(Operand),
    /// The field compares with the operand in one of these two ways.
    Range(Operand, [Ordering; 2]),
    Exists(bool),
}

/// What a field is compared with.
pub enum Operand {
    Null,
    Bool(bool),
    Number(Number),
    Text(Vec<u8>),
}

type Parsed = Result<Condition, String>;

impl Condition {
    pub fn equals(text: &str) -> Parsed {
        Ok(Self::In(vec![Operand::parse(text)?]))
    }

    pub fn not_equals(text: &str) -> Parsed {
        Ok(Self::NotEquals(Operand::parse(text)?))
    }

    /// Reads a JSON array, or a list with commas between plain words.
    pub fn one_of(text: &str) -> Parsed {
        let operands: Result<_, _> = match Value::parse(text.as_bytes()) {
            Ok(list) if list.kind() == Kind::Array => list.elements().map(Operand::of).collect(),
            _ => text
                .split(',')
                .map(|word| Operand::parse(word.trim()))
                .collect(),
        };
        operands.map(Self::In)
    }

    pub fn min(text: &str) -> Parsed {
        Self::range(text, [Ordering::Greater, Ordering::Equal])
    }

    pub fn max(text: &str) -> Parsed {
        Self::range(text, [Ordering::Less, Ordering::Equal])
    }

    pub fn above(text: &str) -> Parsed {
        Self::range(text, [Ordering::Greater; 2])
    }

    pub fn below(text: &str) -> Parsed {
        Self::range(text, [Ordering::Less; 2])
    }

    fn range(text: &str, orders: [Ordering; 2]) -> Parsed {
        match Operand::parse(text)? {
            operand @ (Operand::Number(_) | Operand::Text(_)) => Ok(Self::Range(operand, orders)),
            _ => Err("it has to be a number or text".into()),
        }
    }

    /// Tells whether the condition holds. A missing field equals nothing and is in no range.
    pub fn holds(&self, field: Option<Value>, scratch: &mut Vec<u8>) -> bool {
        match (self, field) {
            (Self::Exists(exists), field) => *exists == field.is_some(),
            (Self::NotEquals(_), None) => true,
            (_, None) => false,
            (Self::NotEquals(operand), Some(value)) => !operand.equals(value, scratch),
            (Self::In(operands), Some(value)) => operands
                .iter()
                .any(|operand| operand.equals(value, scratch)),
            (Self::Range(operand, orders), Some(value)) => {
                let order = operand.compare(value, scratch);
                order.is_some_and(|order| orders.contains(&order))
            }
        }
    }
}

impl Operand {
    /// Reads JSON, or else takes the text as it is.
    fn parse(text: &str) -> Result<Self, String> {
        match Value::parse(text.as_bytes()) {
            Ok(value) => Self::of(value),
            Err(_) => Ok(Self::Text(text.into())),
        }
    }

    fn of(value: Value) -> Result<Self, String> {
        match value.kind() {
            Kind::Null => Ok(Self::Null),
            Kind::Bool => Ok(Self::Bool(value.raw() == b"true")),
            Kind::Number => Ok(Self::Number(Number::parse(value.raw()))),
            Kind::String => Ok(Self::Text(value.text_or_json(&mut Vec::new()).into())),
            Kind::Array | Kind::Object => {
                Err("it has to be text, a number, true, false or null".into())
            }
        }
    }

    #[inline]
    fn equals(&self, value: Value, scratch: &mut Vec<u8>) -> bool {
        self.compare(value, scratch) == Some(Ordering::Equal)
    }

    /// Returns how `value` compares with this; what is of another type does not.
    #[inline]
    fn compare(&self, value: Value, scratch: &mut Vec<u8>) -> Option<Ordering> {
        match self {
            Self::Null => (value.kind() == Kind::Null).then_some(Ordering::Equal),
            Self::Bool(bool) => {
                (value.kind() == Kind::Bool).then(|| (value.raw() == b"true").cmp(bool))
            }
            Self::Number(number) => Some(value.number()?.compare(*number)),
            Self::Text(text) => Some(value.text(scratch)?.cmp(text)),
        }
    }
}
