//! What is put in the place of a text.

use dataflare_json::put_escaped;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

#[derive(Clone, Copy)]
pub enum Mode {
    Mask,
    Hash,
    Tokenise,
}

pub const MODES: [(&str, Mode); 3] = [
    ("mask", Mode::Mask),
    ("hash", Mode::Hash),
    ("tokenise", Mode::Tokenise),
];

/// Half of an HMAC tells as many texts apart as there will ever be.
const TOKEN_BYTES: usize = 16;

pub enum Substitute {
    Mask { plain: Vec<u8>, escaped: Vec<u8> },
    Hash,
    KeyedHash(Hmac<Sha256>),
    Token(Hmac<Sha256>),
}

impl Substitute {
    pub fn mask(mask: &str) -> Self {
        let mut escaped = Vec::new();
        put_escaped(&mut escaped, mask.as_bytes());
        let plain = mask.into();
        Self::Mask { plain, escaped }
    }

    pub fn hash() -> Self {
        Self::Hash
    }

    pub fn keyed_hash(key: &str) -> Self {
        Self::KeyedHash(hmac(key))
    }

    pub fn token(key: &str) -> Self {
        Self::Token(hmac(key))
    }

    /// Appends what stands for `text`, escaped if it goes into a JSON string.
    pub fn put(&self, text: &[u8], in_json: bool, out: &mut Vec<u8>) {
        match self {
            Self::Mask { escaped, .. } if in_json => out.extend_from_slice(escaped),
            Self::Mask { plain, .. } => out.extend_from_slice(plain),
            Self::Hash => put_hex(out, &Sha256::digest(text)),
            Self::KeyedHash(hmac) => put_hex(out, &sign(hmac, text)),
            Self::Token(hmac) => {
                out.extend_from_slice(b"tok_");
                put_hex(out, &sign(hmac, text)[..TOKEN_BYTES]);
            }
        }
    }
}

fn hmac(key: &str) -> Hmac<Sha256> {
    Hmac::new_from_slice(key.as_bytes()).expect("an HMAC takes keys of any length")
}

fn sign(hmac: &Hmac<Sha256>, text: &[u8]) -> [u8; 32] {
    hmac.clone()
        .chain_update(text)
        .finalize()
        .into_bytes()
        .into()
}

fn put_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    let digit = |digit: u8| b"0123456789abcdef"[usize::from(digit & 15)];
    out.extend(
        bytes
            .iter()
            .flat_map(|byte| [digit(byte >> 4), digit(*byte)]),
    );
}
