//! What was there before, as far as it is remembered.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

pub type Digest = u128;

/// Digests, each with the time when it was there.
///
/// Entries are numbered as they come. A digest that comes again after its age gets a second entry;
/// `latest` has the number of the one that counts.
pub struct Memory {
    entry_count_max: usize,
    age_ms: Option<i64>,
    latest: HashMap<Digest, u64, BuildHasherDefault<Identity>>,
    entries: VecDeque<Entry>,
    /// The number of the first entry.
    first: u64,
}

struct Entry {
    digest: Digest,
    timestamp: Option<i64>,
}

impl Memory {
    pub fn new(entry_count_max: usize, age_ms: Option<i64>) -> Self {
        Self {
            entry_count_max,
            age_ms,
            latest: HashMap::default(),
            entries: VecDeque::new(),
            first: 0,
        }
    }

    /// Remembers a digest, unless it is remembered already: then returns false.
    pub fn insert(&mut self, digest: Digest, now: Option<i64>) -> bool {
        while self
            .entries
            .front()
            .is_some_and(|entry| self.is_aged(entry, now))
        {
            self.forget_first();
        }
        if let Some(number) = self.latest.get(&digest) {
            // Entries may be aged behind one that is not: time does not only go forward.
            let entry = &self.entries[(number - self.first) as usize];
            if !self.is_aged(entry, now) {
                return false;
            }
        }
        if self.entries.len() == self.entry_count_max {
            self.forget_first();
        }
        let number = self.first + self.entries.len() as u64;
        self.latest.insert(digest, number);
        let timestamp = now;
        self.entries.push_back(Entry { digest, timestamp });
        true
    }

    /// Tells whether an entry is too old; without a time on both sides nothing is.
    fn is_aged(&self, entry: &Entry, now: Option<i64>) -> bool {
        match (self.age_ms, entry.timestamp, now) {
            (Some(age_ms), Some(then), Some(now)) => now.saturating_sub(then) > age_ms,
            _ => false,
        }
    }

    fn forget_first(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            if self.latest.get(&entry.digest) == Some(&self.first) {
                self.latest.remove(&entry.digest);
            }
            self.first += 1;
        }
    }
}

/// Digests are as good as hashes can be.
#[derive(Default)]
pub struct Identity(u64);

impl Hasher for Identity {
    fn write_u128(&mut self, digest: u128) {
        self.0 = digest as u64;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("digests are hashed whole");
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `Memory` does, with a list that is searched.
    struct Model {
        entry_count_max: usize,
        age_ms: Option<i64>,
        entries: Vec<(Digest, Option<i64>)>,
    }

    impl Model {
        fn insert(&mut self, digest: Digest, now: Option<i64>) -> bool {
            let is_aged = |then: Option<i64>| match (self.age_ms, then, now) {
                (Some(age_ms), Some(then), Some(now)) => now - then > age_ms,
                _ => false,
            };
            let aged_count = self
                .entries
                .iter()
                .take_while(|(_, then)| is_aged(*then))
                .count();
            self.entries.drain(..aged_count);
            let latest = self.entries.iter().rfind(|(each, _)| *each == digest);
            if latest.is_some_and(|(_, then)| !is_aged(*then)) {
                return false;
            }
            self.entries.push((digest, now));
            let surplus = self.entries.len().saturating_sub(self.entry_count_max);
            self.entries.drain(..surplus);
            true
        }
    }

    #[test]
    fn a_memory_does_what_a_searched_list_does() {
        let mut random = 1u64;
        let mut below = |limit: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) % limit
        };
        for round in 0..2_000 {
            let entry_count_max = 1 + below(6) as usize;
            let age_ms = (round % 3 > 0).then(|| below(20) as i64);
            let mut memory = Memory::new(entry_count_max, age_ms);
            let mut model = Model {
                entry_count_max,
                age_ms,
                entries: Vec::new(),
            };
            let mut time = 0;
            for _ in 0..50 {
                time += below(6) as i64 - below(3) as i64;
                let now = (below(10) > 0).then_some(time);
                let digest = below(8).into();
                assert_eq!(model.insert(digest, now), memory.insert(digest, now));
                assert!(memory.entries.len() <= entry_count_max);
                assert!(memory.latest.len() <= memory.entries.len());
            }
        }
    }
}
