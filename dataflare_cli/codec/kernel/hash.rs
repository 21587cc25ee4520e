//! How keys choose partitions: Fluvio's SipHash-2-4 and Kafka's murmur2.

/// SipHash-2-4 with key (0, 0) of the key's length (u64, little-endian) and its bytes.
pub unsafe fn siphash24(key: *const u8, bytes: usize) -> u64 {
    let mut state = Sip {
        v0: 0x736f_6d65_7073_6575,
        v1: 0x646f_7261_6e64_6f6d,
        v2: 0x6c79_6765_6e65_7261,
        v3: 0x7465_6462_7974_6573,
    };
    state.take(bytes as u64);
    let mut at = 0;
    while bytes - at >= 8 {
        state.take((key.add(at) as *const u64).read_unaligned());
        at += 8;
    }
    // The hashed text is 8 bytes longer than the key, which leaves the tail where it was.
    let mut tail = (bytes as u64 + 8) << 56;
    let mut shift = 0;
    while at < bytes {
        tail |= (*key.add(at) as u64) << shift;
        shift += 8;
        at += 1;
    }
    state.take(tail);
    state.v2 ^= 0xff;
    state.round();
    state.round();
    state.round();
    state.round();
    state.v0 ^ state.v1 ^ state.v2 ^ state.v3
}

struct Sip {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl Sip {
    #[inline(always)]
    fn take(&mut self, word: u64) {
        self.v3 ^= word;
        self.round();
        self.round();
        self.v0 ^= word;
    }

    #[inline(always)]
    fn round(&mut self) {
        self.v0 = self.v0.wrapping_add(self.v1);
        self.v2 = self.v2.wrapping_add(self.v3);
        self.v1 = self.v1.rotate_left(13) ^ self.v0;
        self.v3 = self.v3.rotate_left(16) ^ self.v2;
        self.v0 = self.v0.rotate_left(32);
        self.v2 = self.v2.wrapping_add(self.v1);
        self.v0 = self.v0.wrapping_add(self.v3);
        self.v1 = self.v1.rotate_left(17) ^ self.v2;
        self.v3 = self.v3.rotate_left(21) ^ self.v0;
        self.v2 = self.v2.rotate_left(32);
    }
}

/// Kafka's murmur2 (seed 0x9747b28c).
pub unsafe fn murmur2(key: *const u8, bytes: usize) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ bytes as u32;
    let mut at = 0;
    while bytes - at >= 4 {
        let mut word = (key.add(at) as *const u32).read_unaligned().wrapping_mul(M);
        word = (word ^ (word >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ word;
        at += 4;
    }
    if at < bytes {
        let mut shift = 0;
        while at < bytes {
            hash ^= (*key.add(at) as u32) << shift;
            shift += 8;
            at += 1;
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}
