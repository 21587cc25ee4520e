def replace_all($old; $new): split($old) | join($new);

def row(escape; $delimiter):
  map(
    if isstring then escape
    elif . == null then ""
    elif isarray or isobject then error("a row cannot have \(.) in it")
    else tojson end
  ) | join($delimiter);

# jaq has these in a crate of formats, which brings parsers of all of them along.
def @csv: row("\"" + replace_all("\""; "\"\"") + "\""; ",");
def @tsv: row(
    replace_all("\\"; "\\\\") | replace_all("\t"; "\\t")
    | replace_all("\n"; "\\n") | replace_all("\r"; "\\r");
  "\t");

# And these it lacks.
def IN(values): any(values == .; .);
def IN(source; values): any(source == values; .);
def INDEX(source; name): reduce source as $each ({}; .[$each | name | tostring] = $each);
def INDEX(name): INDEX(.[]; name);
def ascii: [.] | implode;
def toarray: if isarray then . else [.] end;
def trimstr($text): ltrimstr($text) | rtrimstr($text);
