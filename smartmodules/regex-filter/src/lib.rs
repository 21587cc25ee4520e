//! regex-filter: keeps records whose value or key matches.

use dataflare_regex::{Regex, parse_regex};
use dataflare_smartmodule::{Filter, Param, Params, Record, Result, SmartModule, smartmodule};

const REGEX: Param = Param::required("regex", "what to look for").example("error|warn");
const ON: Param = Param::optional("on", "where: value or key").default("value");
const INVERT: Param =
    Param::optional("invert", "true keeps the records that do not match").default("false");

struct RegexFilter {
    regex: Regex,
    on_key: bool,
    invert: bool,
}

impl SmartModule for RegexFilter {
    const PARAMS: &'static [Param] = &[REGEX, ON, INVERT];

    fn new(params: &Params) -> Result<Self> {
        Ok(Self {
            regex: params.parse(&REGEX, parse_regex)?,
            on_key: params.choice(&ON, &[("value", false), ("key", true)])?,
            invert: params.flag(&INVERT)?,
        })
    }
}

impl Filter for RegexFilter {
    fn filter(&mut self, record: &Record) -> Result<bool> {
        let text = if self.on_key {
            record.key
        } else {
            Some(record.value)
        };
        // No key matches nothing, not even the empty regex.
        let matches = text.is_some_and(|text| self.regex.is_match(text));
        Ok(matches != self.invert)
    }
}

smartmodule!(filter: RegexFilter);
