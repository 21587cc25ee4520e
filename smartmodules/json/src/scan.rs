//! The scanner: over a document from front to back, value by value.

use dataflare_smartmodule::Error;
use std::fmt;

/// How deep arrays and objects may be inside one another.
pub const NESTING_MAX: u32 = 128;

/// Where a document is not JSON, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJson {
    at: usize,
    pub(crate) problem: &'static str,
}

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "not JSON at byte {}: {}", self.at, self.problem)
    }
}

impl From<NotJson> for Error {
    fn from(error: NotJson) -> Self {
        error.to_string().into()
    }
}

/// The inside of a string, between its quotes.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    pub raw: &'a [u8],
    pub escaped: bool,
}

/// Reads a document token by token, where its values are wanted as something else.
pub struct Scanner<'a> {
    document: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// Starts at the first byte that is not blank.
    pub fn new(document: &'a [u8]) -> Self {
        let mut scanner = Self { document, at: 0 };
        scanner.skip_blanks();
        scanner
    }

    #[inline(always)]
    pub fn position(&self) -> usize {
        self.at
    }

    /// Goes back to where a value began.
    pub fn rewind(&mut self, at: usize) {
        self.at = at;
    }

    /// Makes sure that nothing follows.
    pub fn finish(&mut self) -> Result<(), NotJson> {
        self.skip_blanks();
        if self.at == self.document.len() {
            return Ok(());
        }
        Err(self.problem("more than one value"))
    }

    /// The next byte. The end is a 0, with which nothing of JSON begins.
    #[inline(always)]
    pub fn peek(&self) -> u8 {
        self.document.get(self.at).copied().unwrap_or(0)
    }

    #[inline(always)]
    pub fn skip_blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    #[cold]
    pub fn problem(&self, problem: &'static str) -> NotJson {
        let at = self.at;
        let problem = if at < self.document.len() {
            problem
        } else {
            "it ends too early"
        };
        NotJson { at, problem }
    }

    /// Fails if a container at `depth` would be too deep.
    #[inline(always)]
    pub fn check_depth(&self, depth: u32) -> Result<(), NotJson> {
        if depth < NESTING_MAX {
            return Ok(());
        }
        Err(self.problem("it is nested too deep"))
    }

    /// Skips the bracket that opens a container, and tells whether anything is in there.
    #[inline(always)]
    pub fn open(&mut self, close: u8) -> bool {
        self.at += 1;
        self.skip_blanks();
        if self.peek() == close {
            self.at += 1;
            return false;
        }
        true
    }

    /// Skips what stands between two elements, and tells whether there is another one.
    #[inline(always)]
    pub fn next(&mut self, close: u8) -> Result<bool, NotJson> {
        self.skip_blanks();
        let byte = self.peek();
        if byte == b',' {
            self.at += 1;
            self.skip_blanks();
            return Ok(true);
        }
        if byte == close {
            self.at += 1;
            return Ok(false);
        }
        Err(self.problem("a comma or a bracket is missing"))
    }

    /// Reads a member's name, and skips the colon.
    #[inline(always)]
    pub fn name(&mut self) -> Result<Text<'a>, NotJson> {
        if self.peek() != b'"' {
            return Err(self.problem("a name in quotes is missing"));
        }
        let name = self.string()?;
        self.skip_blanks();
        if self.peek() != b':' {
            return Err(self.problem("a colon is missing"));
        }
        self.at += 1;
        self.skip_blanks();
        Ok(name)
    }

    /// Skips a value that is `depth` containers deep, and returns it.
    #[inline(always)]
    pub fn skip_value(&mut self, depth: u32) -> Result<&'a [u8], NotJson> {
        let start = self.at;
        match self.peek() {
            b'{' | b'[' => self.skip_container(depth)?,
            _ => self.skip_scalar()?,
        }
        Ok(&self.document[start..self.at])
    }

    fn skip_container(&mut self, depth: u32) -> Result<(), NotJson> {
        // A bit for each container that is open, the innermost is the lowest: 1 is an object.
        let mut objects: u128 = 0;
        let mut open_count = 0;
        loop {
            match self.peek() {
                byte @ (b'{' | b'[') => {
                    self.check_depth(depth + open_count)?;
                    if self.open(byte + 2) {
                        objects = objects << 1 | u128::from(byte == b'{');
                        open_count += 1;
                        if byte == b'{' {
                            self.name()?;
                        }
                        continue;
                    }
                }
                _ => self.skip_scalar()?,
            }
            loop {
                if open_count == 0 {
                    return Ok(());
                }
                let in_object = objects & 1 == 1;
                if self.next(if in_object { b'}' } else { b']' })? {
                    if in_object {
                        self.name()?;
                    }
                    break;
                }
                objects >>= 1;
                open_count -= 1;
            }
        }
    }

    #[inline(always)]
    fn skip_scalar(&mut self) -> Result<(), NotJson> {
        match self.peek() {
            b'"' => self.string().map(|_| ()),
            b'-' | b'0'..=b'9' => self.skip_number(),
            b't' => self.skip_word(b"true"),
            b'f' => self.skip_word(b"false"),
            b'n' => self.skip_word(b"null"),
            _ => Err(self.problem("a value is missing")),
        }
    }

    #[inline(always)]
    fn skip_word(&mut self, word: &[u8]) -> Result<(), NotJson> {
        if !self.document[self.at..].starts_with(word) {
            return Err(self.problem("a value is missing"));
        }
        self.at += word.len();
        Ok(())
    }

    fn skip_number(&mut self) -> Result<(), NotJson> {
        if self.peek() == b'-' {
            self.at += 1;
        }
        if self.peek() == b'0' {
            self.at += 1;
        } else {
            self.skip_digits()?;
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.skip_digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.skip_digits()?;
        }
        Ok(())
    }

    #[inline(always)]
    fn skip_digits(&mut self) -> Result<(), NotJson> {
        if !self.peek().is_ascii_digit() {
            return Err(self.problem("a digit is missing"));
        }
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        Ok(())
    }

    /// Reads the string whose quote is next.
    #[inline(always)]
    pub fn string(&mut self) -> Result<Text<'a>, NotJson> {
        let start = self.at + 1;
        self.at = start;
        self.skip_plain();
        if self.peek() == b'"' {
            self.at += 1;
            let raw = &self.document[start..self.at - 1];
            return Ok(Text {
                raw,
                escaped: false,
            });
        }
        self.odd_string(start)
    }

    /// Goes on in a string that has more than plain ASCII in it.
    #[inline(never)]
    fn odd_string(&mut self, start: usize) -> Result<Text<'a>, NotJson> {
        let mut escaped = false;
        let mut ascii = true;
        loop {
            match self.peek() {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.skip_escape()?;
                }
                0x80.. => {
                    ascii = false;
                    self.at += 1;
                }
                _ => return Err(self.problem("a control character is in a string")),
            }
            self.skip_plain();
        }
        let raw = &self.document[start..self.at];
        if !ascii && let Err(error) = std::str::from_utf8(raw) {
            self.at = start + error.valid_up_to();
            return Err(self.problem("it is not UTF-8"));
        }
        self.at += 1;
        Ok(Text { raw, escaped })
    }

    fn skip_escape(&mut self) -> Result<(), NotJson> {
        self.at += 1;
        let digits = match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 0,
            b'u' => 4,
            _ => return Err(self.problem("there is no such escape")),
        };
        self.at += 1;
        for _ in 0..digits {
            if !self.peek().is_ascii_hexdigit() {
                return Err(self.problem("a hexadecimal digit is missing"));
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Skips what means itself in a string and is ASCII, eight bytes at a time.
    #[inline(always)]
    fn skip_plain(&mut self) {
        while let Some(chunk) = self.document[self.at..].first_chunk::<8>() {
            let odd = odd_bytes(u64::from_le_bytes(*chunk));
            if odd != 0 {
                self.at += odd.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        while matches!(self.peek(), b' '..0x80 if self.peek() != b'"' && self.peek() != b'\\') {
            self.at += 1;
        }
    }
}

/// Returns a word whose lowest bit is in the first byte that is a quote, a backslash, a control
/// character or not ASCII. Borrows may set bits in the bytes after that one.
#[inline(always)]
fn odd_bytes(word: u64) -> u64 {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let is_zero = |word: u64| word.wrapping_sub(EACH) & !word;
    let quote = is_zero(word ^ (EACH * b'"' as u64));
    let backslash = is_zero(word ^ (EACH * b'\\' as u64));
    let control = word.wrapping_sub(EACH * b' ' as u64) & !word;
    (quote | backslash | control | word) & (EACH * 0x80)
}
