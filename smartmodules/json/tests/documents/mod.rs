//! Documents that look random, and are the same in every run.
#![allow(dead_code)] // each test file uses a part

/// xorshift64*.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 32) as usize % limit
    }

    pub fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// Returns JSON with few names, so that some come twice and paths find something.
    pub fn document(&mut self) -> String {
        let mut text = self.blank().to_owned();
        self.put_value(&mut text, 0);
        text + self.blank()
    }

    fn put_value(&mut self, text: &mut String, depth: usize) {
        match self.below(if depth < 4 { 7 } else { 4 }) {
            0 => *text += self.pick(&["null", "true", "false"]),
            1 => {
                *text += self.pick(&[
                    "0",
                    "-0",
                    "7",
                    "-12",
                    "1.50",
                    "1e3",
                    "-2.5E-1",
                    "1234567890123",
                ])
            }
            2 | 3 => *text += self.pick(&STRINGS),
            4 => self.put_list(text, depth, '[', ']'),
            _ => self.put_list(text, depth, '{', '}'),
        }
    }

    fn put_list(&mut self, text: &mut String, depth: usize, open: char, close: char) {
        text.push(open);
        *text += self.blank();
        for index in 0..self.below(5) {
            if index > 0 {
                *text += ",";
                *text += self.blank();
            }
            if open == '{' {
                *text += self.pick(&NAMES);
                *text += self.blank();
                *text += ":";
                *text += self.blank();
            }
            self.put_value(text, depth + 1);
            *text += self.blank();
        }
        text.push(close);
    }

    fn blank(&mut self) -> &'static str {
        self.pick(&["", "", "", " ", "\n", "\t \r\n"])
    }
}

const NAMES: [&str; 6] = [
    r#""a""#,
    r#""\u0061""#,
    r#""b""#,
    r#""c d""#,
    r#""é""#,
    r#""\u00E9""#,
];

const STRINGS: [&str; 8] = [
    r#""""#,
    r#""text""#,
    r#""more than eight bytes, and plain""#,
    r#""été \u00e9 \ud83d\ude00 😀""#,
    r#""\"\\\/\b\f\n\r\t""#,
    r#""1234567\\""#,
    r#""]}, \"{[:""#,
    r#""\u0040""#,
];
