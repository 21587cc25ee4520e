//! redact: masks, hashes or tokenises what nobody else should read.
//!
//! Invariants
//! - Bytes outside of what is redacted stay as they are.
//! - JSON stays JSON, and what hides behind escapes in it is found.
//! - All members with a name are redacted, not only the last, which is the one that counts.

mod census;
mod origins;
mod patterns;
mod redactor;
mod splice;
mod substitute;
mod verify;

use dataflare_json::{Invalid, Path};
use dataflare_regex::parse_regex;
use dataflare_smartmodule::{
    FilterMap, Output, Param, Params, Record, Result, SmartModule, smartmodule,
};
use patterns::Patterns;
use redactor::Redactor;
use substitute::Substitute;

const FIELDS: Param = Param::optional(
    "fields",
    "the paths of what to redact whole, a list; [*] is every element",
)
.example("user.email,cards[*].number");
const PATTERNS: Param = Param::optional(
    "patterns",
    "what to find in text, or in all strings, names and numbers of JSON, a list of: email, ipv4, \
     ipv6, credit-card, ssn, iban, phone, jwt",
)
.example("email,credit-card");
const REGEX: Param =
    Param::optional("regex", "what to find besides, in the same places").example("(?i)order-\\d+");
const MODE: Param = Param::optional(
    "mode",
    "what to put in its place: mask, hash (SHA-256, or with a key HMAC-SHA-256, in hex) or \
     tokenise (tok_ and half of that HMAC)",
)
.default("mask");
const MASK: Param = Param::optional("mask", "the text of the mask").default("***");
const KEY: Param = Param::optional("key", "the secret of hash and tokenise");
const ON: Param =
    Param::optional("on", "where to find patterns and regex: value, key or both").default("value");
const INVALID: Param = Param::optional(
    "invalid",
    "what becomes of a record that is not JSON although there are fields: error or drop",
)
.default("error");

struct Redact {
    redactor: Redactor,
    on_key: bool,
    on_value: bool,
    invalid: Invalid,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl SmartModule for Redact {
    const PARAMS: &'static [Param] = &[FIELDS, PATTERNS, REGEX, MODE, MASK, KEY, ON, INVALID];

    fn new(params: &Params) -> Result<Self> {
        let parse_fields = |text: &str| Path::parse_list(text, Path::parse_many);
        let fields = params.parse_optional(&FIELDS, parse_fields)?;
        let builtins = params.parse_optional(&PATTERNS, patterns::parse_names)?;
        let regex = params.parse_optional(&REGEX, parse_regex)?;
        if fields.is_none() && builtins.is_none() && regex.is_none() {
            return Err("Missing param fields, patterns or regex".into());
        }
        let searches = builtins.is_some() || regex.is_some();
        let patterns = Patterns::new(builtins.unwrap_or_default(), regex);
        let substitute = match (params.choice(&MODE, &substitute::MODES)?, params.get(&KEY)) {
            (substitute::Mode::Mask, _) => Substitute::mask(params.text(&MASK)?),
            (substitute::Mode::Hash, None) => Substitute::hash(),
            (substitute::Mode::Hash, Some(key)) => Substitute::keyed_hash(key),
            (substitute::Mode::Tokenise, Some(key)) => Substitute::token(key),
            (substitute::Mode::Tokenise, None) => return Err("Missing param key".into()),
        };
        let places = [
            ("value", (false, true)),
            ("key", (true, false)),
            ("both", (true, true)),
        ];
        let (on_key, on_value) = params.choice(&ON, &places)?;
        Ok(Self {
            redactor: Redactor::new(fields, patterns, substitute),
            on_key: on_key && searches,
            on_value: on_value && searches,
            invalid: Invalid::droppable(params, &INVALID)?,
            key: Vec::new(),
            value: Vec::new(),
        })
    }
}

impl FilterMap for Redact {
    fn filter_map<'a>(&'a mut self, record: &Record<'a>) -> Result<Option<Output<'a>>> {
        let key = match record.key {
            Some(key) if self.on_key => Some(self.redactor.search(key, &mut self.key)),
            key => key,
        };
        match self
            .redactor
            .redact(record.value, self.on_value, &mut self.value)
        {
            Ok(value) => Ok(Some(Output { key, value })),
            Err(error) => self.invalid.nothing(error),
        }
    }
}

smartmodule!(filter_map: Redact);
