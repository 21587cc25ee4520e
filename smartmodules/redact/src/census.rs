//! How many bytes of each kind a text has: most texts cannot match most patterns.

#[derive(Default)]
pub struct Census {
    counts: [u32; CLASS_COUNT],
}

const OTHER: u8 = 0;
const DIGIT: u8 = 1;
const AT: u8 = 2;
const DOT: u8 = 3;
const COLON: u8 = 4;
const CLASS_COUNT: usize = 5;

/// The class of each byte.
const CLASSES: [u8; 256] = {
    let mut classes = [OTHER; 256];
    let mut digit = b'0';
    while digit <= b'9' {
        classes[digit as usize] = DIGIT;
        digit += 1;
    }
    classes[b'@' as usize] = AT;
    classes[b'.' as usize] = DOT;
    classes[b':' as usize] = COLON;
    classes
};

impl Census {
    pub fn of(text: &[u8]) -> Self {
        let mut census = Self::default();
        for byte in text {
            census.counts[usize::from(CLASSES[usize::from(*byte)])] += 1;
        }
        census
    }

    pub fn has_digits(&self, count: u32) -> bool {
        self.counts[usize::from(DIGIT)] >= count
    }

    pub fn has_ats(&self, count: u32) -> bool {
        self.counts[usize::from(AT)] >= count
    }

    pub fn has_dots(&self, count: u32) -> bool {
        self.counts[usize::from(DOT)] >= count
    }

    pub fn has_colons(&self, count: u32) -> bool {
        self.counts[usize::from(COLON)] >= count
    }
}
