//! The start of an instance: parameters in, a module or a reason out.

use crate::SmartModule;
use crate::error::Result;
use crate::params::Params;
use crate::record::parse_params;
use crate::reply::{Answer, Code, refusal, reply};
use crate::wire::{Reader, put_text};

/// Makes the module that an input asks for.
pub fn init<'a, M: SmartModule>(
    module: &mut Option<M>,
    buffer: &[u8],
    version: i32,
    out: &'a mut Vec<u8>,
) -> Answer<'a> {
    let mut reader = Reader::new(buffer);
    let given = parse_params(&mut reader, version).ok_or(Code::InitCannotDecode)?;
    match make(given) {
        Ok(made) => *module = Some(made),
        Err(error) => {
            put_text(out, &error.to_string());
            return refusal(Code::InitFailed, out);
        }
    }
    reply(0, out)
}

fn make<M: SmartModule>(given: Vec<(&str, &str)>) -> Result<M> {
    M::new(&Params::new(M::PARAMS, given)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Param;

    const KEY: Param = Param::required("key", "");

    struct Keyed(String);

    impl SmartModule for Keyed {
        const PARAMS: &'static [Param] = &[KEY];

        fn new(params: &Params) -> Result<Self> {
            Ok(Self(params.text(&KEY)?.into()))
        }
    }

    /// Returns the status, the value of `key` and the bytes of an `init`.
    fn run(input: &[u8], version: i32) -> (i32, Option<String>, Vec<u8>) {
        let mut module: Option<Keyed> = None;
        let mut out = Vec::new();
        let (status, bytes) = match init(&mut module, input, version, &mut out) {
            Ok(reply) => (reply.status, reply.bytes.to_vec()),
            Err(code) => (code as i32, Vec::new()),
        };
        (status, module.map(|module| module.0), bytes)
    }

    #[test]
    fn params_make_the_module() {
        let input = b"\0\x01\0\x03key\0\x01a\0";
        for version in [16, 19, 20, 22, 25] {
            assert_eq!((0, Some("a".into()), vec![]), run(input, version));
        }
        for length in 0..input.len() - 1 {
            assert_eq!((-10, None, vec![]), run(&input[..length], 16));
        }
    }

    #[test]
    fn a_look_back_may_follow() {
        let input = b"\0\x01\0\x03key\0\x01a\x01\0\0\0\0\0\0\0\x05\x01\0\0\0\0\0\0\0\x01\0\0\0\0";
        assert_eq!(0, run(input, 22).0);
        for length in 10..input.len() {
            assert_eq!(-10, run(&input[..length], 22).0);
        }
    }

    #[test]
    fn an_error_is_told() {
        let hint = b"\0\x11Missing param key".to_vec();
        assert_eq!((-2, None, hint), run(b"\0\0\0", 22));
    }
}
