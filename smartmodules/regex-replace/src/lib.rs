//! regex-replace: replaces what matches in values or keys.

mod template;

use dataflare_regex::{CaptureLocations, Regex, parse_regex};
use dataflare_smartmodule::{Map, Output, Param, Params, Record, Result, SmartModule, smartmodule};
use template::Template;

const REGEX: Param = Param::required("regex", "what to look for").example("(\\d+) ms");
const WITH: Param = Param::required(
    "with",
    "what to put in its place; $1, $name and ${name} are groups of the regex, $$ is a dollar",
)
.example("${1}ms");
const ON: Param = Param::optional("on", "where: value or key").default("value");
const COUNT: Param = Param::optional(
    "count",
    "how many matches to replace, from the left; 0 is all",
)
.default("0");

struct RegexReplace {
    regex: Regex,
    template: Template,
    on_key: bool,
    count: usize,
    groups: CaptureLocations,
    replaced: Vec<u8>,
}

impl SmartModule for RegexReplace {
    const PARAMS: &'static [Param] = &[REGEX, WITH, ON, COUNT];

    fn new(params: &Params) -> Result<Self> {
        let regex = params.parse(&REGEX, parse_regex)?;
        let count: usize = params.parse(&COUNT, str::parse)?;
        Ok(Self {
            template: params.parse(&WITH, |text| Template::parse(text, &regex))?,
            on_key: params.choice(&ON, &[("value", false), ("key", true)])?,
            count: if count == 0 { usize::MAX } else { count },
            groups: regex.capture_locations(),
            replaced: Vec::new(),
            regex,
        })
    }
}

impl Map for RegexReplace {
    fn map<'a>(&'a mut self, record: &Record<'a>) -> Result<Output<'a>> {
        let (key, value) = (record.key, record.value);
        Ok(match key {
            Some(text) if self.on_key => Output {
                key: Some(self.replace(text)),
                value,
            },
            None if self.on_key => Output { key, value },
            _ => Output {
                key,
                value: self.replace(value),
            },
        })
    }
}

impl RegexReplace {
    /// Returns `text` itself if nothing matches.
    fn replace<'a>(&'a mut self, text: &'a [u8]) -> &'a [u8] {
        self.replaced.clear();
        let mut copied_end = 0;
        let mut at = 0;
        let mut left = self.count;
        while left > 0 {
            let Some(found) = self.regex.captures_read_at(&mut self.groups, text, at) else {
                break;
            };
            // Nothing is found in the middle of a character, nor right behind what was found.
            let inside = text
                .get(found.end())
                .is_some_and(|byte| byte & 0xc0 == 0x80);
            let behind = found.end() == copied_end && copied_end > 0;
            if !found.is_empty() || !inside && !behind {
                self.replaced
                    .extend_from_slice(&text[copied_end..found.start()]);
                self.template.put(text, &self.groups, &mut self.replaced);
                copied_end = found.end();
                left -= 1;
            }
            at = found.end() + usize::from(found.is_empty());
            if at > text.len() {
                break;
            }
        }
        if left == self.count {
            return text;
        }
        self.replaced.extend_from_slice(&text[copied_end..]);
        &self.replaced
    }
}

smartmodule!(map: RegexReplace);
