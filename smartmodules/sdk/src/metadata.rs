//! What a module says about itself: JSON in a custom section, which hosts read without running it.
//!
//! All of it is worked out by the compiler, from the same table that the parameters are parsed by.

use crate::params::Param;

/// What the section `dataflare.smartmodule` tells.
pub struct Metadata {
    pub name: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    pub summary: &'static str,
    pub params: &'static [Param],
    pub stateless: bool,
}

impl Metadata {
    /// Returns how many bytes the JSON has.
    pub const fn json_bytes(&self) -> usize {
        let mut writer = Writer::<0>::new();
        self.write(&mut writer);
        writer.count
    }

    /// Returns the JSON; `BYTES` is what `json_bytes` says.
    pub const fn json<const BYTES: usize>(&self) -> [u8; BYTES] {
        let mut writer = Writer::new();
        self.write(&mut writer);
        assert!(writer.count == BYTES);
        writer.bytes
    }

    const fn write<const BYTES: usize>(&self, to: &mut Writer<BYTES>) {
        to.field("{\"name\":", self.name);
        to.field(",\"version\":", self.version);
        to.field(",\"kind\":", self.kind);
        to.field(",\"summary\":", self.summary);
        to.raw(",\"params\":[");
        let mut index = 0;
        while index < self.params.len() {
            if index > 0 {
                to.raw(",");
            }
            to.param(&self.params[index]);
            index += 1;
        }
        to.flag("],\"stateless\":", self.stateless);
        // The SDK keeps the deltas of the source in everything that it writes.
        to.flag(",\"offsets\":", true);
        to.raw("}");
    }
}

/// Counts what it is given, and keeps as much of it as it has room for.
struct Writer<const BYTES: usize> {
    bytes: [u8; BYTES],
    count: usize,
}

impl<const BYTES: usize> Writer<BYTES> {
    const fn new() -> Self {
        Self {
            bytes: [0; BYTES],
            count: 0,
        }
    }

    const fn param(&mut self, param: &Param) {
        self.field("{\"name\":", param.name);
        self.field(",\"description\":", param.description);
        self.flag(",\"optional\":", param.optional);
        if let Some(default) = param.default {
            self.field(",\"default\":", default);
        }
        if let Some(example) = param.example {
            self.field(",\"example\":", example);
        }
        self.raw("}");
    }

    const fn byte(&mut self, byte: u8) {
        if self.count < BYTES {
            self.bytes[self.count] = byte;
        }
        self.count += 1;
    }

    const fn raw(&mut self, text: &str) {
        let mut index = 0;
        while index < text.len() {
            self.byte(text.as_bytes()[index]);
            index += 1;
        }
    }

    const fn field(&mut self, before: &str, text: &str) {
        self.raw(before);
        self.byte(b'"');
        let mut index = 0;
        while index < text.len() {
            let byte = text.as_bytes()[index];
            assert!(byte >= b' ', "no control characters in metadata");
            if byte == b'"' || byte == b'\\' {
                self.byte(b'\\');
            }
            self.byte(byte);
            index += 1;
        }
        self.byte(b'"');
    }

    const fn flag(&mut self, before: &str, flag: bool) {
        self.raw(before);
        self.raw(if flag { "true" } else { "false" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: Metadata = Metadata {
        name: "example",
        version: "0.1.0",
        kind: "filter",
        summary: "Says \"no\"",
        params: &[
            Param::required("a", "first").example("x\\y"),
            Param::optional("b", "second").default(""),
        ],
        stateless: true,
    };

    #[test]
    fn metadata_are_compact_json() {
        const JSON: [u8; METADATA.json_bytes()] = METADATA.json();

        let expected = concat!(
            r#"{"name":"example","version":"0.1.0","kind":"filter","summary":"Says \"no\"","#,
            r#""params":["#,
            r#"{"name":"a","description":"first","optional":false,"example":"x\\y"},"#,
            r#"{"name":"b","description":"second","optional":true,"default":""}"#,
            r#"],"stateless":true,"offsets":true}"#,
        );
        assert_eq!(expected.as_bytes(), JSON);
    }
}
