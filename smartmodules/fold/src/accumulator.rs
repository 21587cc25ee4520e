//! The states, and how the host keeps them: the JSON of the only one, or an object with one for
//! each group.

use crate::{Fold, Result};
use dataflare_json::{Kind, Value, put_string};
use indexmap::IndexMap;

pub struct Accumulator<F> {
    grouped: bool,
    /// In the order in which groups were first seen. Without groups there is one without a name.
    states: IndexMap<Box<[u8]>, F>,
    /// What the host has, if nothing was added since.
    stored: Option<Vec<u8>>,
}

impl<F: Fold> Accumulator<F> {
    pub fn new(grouped: bool) -> Self {
        Self {
            grouped,
            states: IndexMap::new(),
            stored: None,
        }
    }

    /// Becomes what the host has; that is no work if it is what was stored last.
    pub fn load(&mut self, accumulator: &[u8]) -> Result<()> {
        if self.stored.as_deref() == Some(accumulator) {
            return Ok(());
        }
        self.states.clear();
        self.stored = None;
        if accumulator.is_empty() {
            return Ok(());
        }
        let value = Value::parse(accumulator)?;
        if !self.grouped {
            return self.insert(b"", value);
        }
        if value.kind() != Kind::Object {
            return Err("it is not an object with a state for each group".into());
        }
        let mut scratch = Vec::new();
        for (name, state) in value.members() {
            self.insert(name.text(&mut scratch), state)?;
        }
        Ok(())
    }

    fn insert(&mut self, group: &[u8], value: Value) -> Result<()> {
        let not_a_state = || {
            let text = String::from_utf8_lossy(value.raw());
            format!("{text} is not a state")
        };
        let state = F::read(value).ok_or_else(not_a_state)?;
        self.states.insert(group.into(), state);
        Ok(())
    }

    /// Adds a value to its group, and returns the group's new state.
    pub fn add(&mut self, group: &[u8], value: Value) -> Result<&F> {
        self.stored = None;
        let index = match self.states.get_full_mut(group) {
            Some((index, _, state)) => {
                state.add(value)?;
                index
            }
            None => {
                let state = F::begin(value)?;
                self.states.insert_full(group.into(), state).0
            }
        };
        Ok(&self.states[index])
    }

    /// Appends what `load` will be given.
    pub fn store(&mut self, out: &mut Vec<u8>) {
        let start = out.len();
        if self.grouped {
            self.put_groups(out);
        } else if let Some(state) = self.states.values().next() {
            state.put(out);
        }
        self.stored = Some(out[start..].into());
    }

    fn put_groups(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (index, (group, state)) in self.states.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            put_string(out, group);
            out.push(b':');
            state.put(out);
        }
        out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Extreme;

    type Max = Extreme<false>;

    fn value(json: &str) -> Value<'_> {
        Value::parse(json.as_bytes()).unwrap()
    }

    fn stored(accumulator: &mut Accumulator<Max>) -> String {
        let mut out = Vec::new();
        accumulator.store(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_stored_is_loaded() {
        let mut one = Accumulator::<Max>::new(true);
        for (group, number) in [("b", "1"), ("\"", "2.50"), ("b", "3"), ("", "-1")] {
            one.add(group.as_bytes(), value(number)).unwrap();
        }
        let text = stored(&mut one);
        assert_eq!(r#"{"b":3,"\"":2.50,"":-1}"#, text);

        let mut other = Accumulator::<Max>::new(true);
        other.load(text.as_bytes()).unwrap();
        assert_eq!(text, stored(&mut other));
    }

    #[test]
    fn the_host_has_the_last_word() {
        let mut accumulator = Accumulator::<Max>::new(false);
        accumulator.load(b"5").unwrap();
        accumulator.add(b"", value("7")).unwrap();
        assert_eq!("7", stored(&mut accumulator));

        // The host did not keep that, and calls again from where it was.
        accumulator.load(b"5").unwrap();
        accumulator.add(b"", value("6")).unwrap();
        assert_eq!("6", stored(&mut accumulator));

        accumulator.load(b"").unwrap();
        accumulator.add(b"", value("1")).unwrap();
        assert_eq!("1", stored(&mut accumulator));
    }

    #[test]
    fn what_was_added_and_not_stored_is_forgotten() {
        let mut accumulator = Accumulator::<Max>::new(false);
        assert_eq!("", stored(&mut accumulator));
        accumulator.add(b"", value("7")).unwrap();
        accumulator.load(b"").unwrap();

        assert_eq!("", stored(&mut accumulator));
    }

    #[test]
    fn a_value_that_fails_changes_nothing() {
        let mut accumulator = Accumulator::<Max>::new(true);
        accumulator.add(b"a", value("7")).unwrap();
        assert!(accumulator.add(b"a", value("null")).is_err());
        assert!(accumulator.add(b"b", value("null")).is_err());

        assert_eq!(r#"{"a":7}"#, stored(&mut accumulator));
    }
}
