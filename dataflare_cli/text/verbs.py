r"""kcat's and rpk's templates: `-f '%o %k=%v\n'`.

    %t  topic         %p  partition     %o  offset
    %k  key           %K  its length    %v, %s  value      %V, %S  its length
    %T, %d  timestamp in ms (-1: none)  %R  length of the value as 4 bytes, big-endian
    %h  headers as name=value,…         %H  their number   %h{ %k=%v }  once a header
    %a{timestamp-type}  0 create, 1 append                 %i  number of the record, from 1
    %%  %{  %}  the character           \n \t \r \0 \\ \xNN

A brace right after a verb holds a modifier:
    numbers  ascii number hex hex4 hex8 hex16 hex32 hex64 byte bool big8…big64 little8…little64
    texts    hex base64 base64raw json unpack[<bBhHiIqQxc.s$>]
    %d, %T   strftime[%F %T] go[2006-01-02T15:04:05Z07:00], in UTC; NA where there is none

Which of the two wins:
- One letter means what it means in kcat: %T is the timestamp (rpk: the topic's length), and
  every length of a null is -1 (rpk: 0). rpk's %v %V %H %d %i %a have no rival in kcat.
- Braces mean what they mean in rpk: `%h{`, `%v{` and so on begin a modifier (in kcat they are
  text); write `%{` for a brace behind a verb.
- Escapes are rpk's, that is \xNN takes two digits; as in kcat, \ before punctuation gives
  the character. Nothing is added at the end: write the \n.

What a log does not keep is refused: %e %x %y %[ %| %] and the other attributes of %a.
"""

import base64
import re
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

from dataflare_cli.codec.program import Encoding, Instruction, Op
from dataflare_cli.errors import UsageError
from dataflare_cli.model import Record
from dataflare_cli.text.modifiers import SHAPES, Shape, time_writer, unpacker
from dataflare_cli.text.template import Function, Part, Template, literal

_Number = Callable[[Record, int], int]

_NUMBERS: dict[str, tuple[Op, _Number]] = {
    "p": (Op.PARTITION, lambda _, partition: partition),
    "o": (Op.OFFSET, lambda record, _: record.offset),
    "K": (Op.KEY_SIZE, lambda record, _: _size(record.key)),
    "V": (Op.VALUE_SIZE, lambda record, _: _size(record.value)),
    "S": (Op.VALUE_SIZE, lambda record, _: _size(record.value)),
    "H": (Op.HEADER_COUNT, lambda record, _: len(record.headers)),
    "T": (Op.TIMESTAMP_MS, lambda record, _: record.timestamp_ms),
    "d": (Op.TIMESTAMP_MS, lambda record, _: record.timestamp_ms),
}
_TEXTS = {"k": Op.KEY, "v": Op.VALUE, "s": Op.VALUE}
_IN_HEADERS = "kKvVsS"
_VERBS = "%t %p %o %k %K %v %s %V %S %R %T %d %h %H %a %i"
_NOT_KEPT = {
    "e": "the leader epoch",
    "x": "the producer id",
    "y": "the producer epoch",
    "[": "the partition's start (see `partition list`)",
    "|": "the last stable offset",
    "]": "the partition's end (see `partition list`)",
    "D": "a share group's delivery count",
    "A": "a share group's deadline",
}

_ENCODINGS = {
    "": Encoding.EXACT,
    "hex": Encoding.HEX,
    "base64": Encoding.BASE64,
    "json": Encoding.JSON,
}
_CLOSERS = {"[": "]", "{": "}", "(": ")"}
_ESCAPES = {"n": b"\n", "t": b"\t", "r": b"\r", "0": b"\0"}
_MODIFIER = re.compile(r"\{([A-Za-z0-9;-]*)")
_HEX_PAIR = re.compile(r"[0-9A-Fa-f]{2}")


def parse_verbs(template: str, topic: str, *, null: bytes = b"") -> list[Part]:
    """Return the parts of a template; a null key or value is written as `null`.

    Raises:
        UsageError: it can't be read; says where.
    """
    return _Parser(template, topic, null).parse()


class _Modifier(NamedTuple):
    """What stands in the braces behind a verb."""

    name: str
    argument: str | None = None

    def __str__(self) -> str:
        return self.name if self.argument is None else f"{self.name}[{self.argument}]"


_NONE = _Modifier("")


class _Parser:
    """One pass over a template; `at` is the next character."""

    def __init__(self, template: str, topic: str, null: bytes) -> None:
        self.template, self.topic, self.null = template, topic, null
        self.at = 0
        self.in_headers = False

    def parse(self) -> list[Part]:
        """Parse to the end, or, inside a header loop, to the brace that closes it."""
        parts: list[Part] = []
        depth = 0
        while self.at < len(self.template):
            character = self._take()
            if character == "%":
                parts.append(self._verb())
            elif character == "\\":
                parts.append(self._escape())
            elif self.in_headers and character == "}" and depth == 0:
                return parts
            else:
                if self.in_headers:
                    depth += (character == "{") - (character == "}")
                parts.append(literal(character))
        if self.in_headers:
            raise self._error("%h{ is not closed by }")
        return parts

    def _verb(self) -> Part:
        verb = self._take("a letter behind %")
        if verb in "%{}":
            return literal(verb)
        if self.in_headers and verb not in _IN_HEADERS:
            raise self._error(f"%{verb} can't be used in %h{{…}}: only %k %K %v %V can")
        has_modifier = self.template.startswith("{", self.at)
        if verb == "h":
            return self._headers() if has_modifier else self._plain_headers()
        modifier = self._modifier() if has_modifier else _NONE
        if verb in "dT" and modifier.name in ("strftime", "go"):
            return self._time(modifier)
        if verb in _NUMBERS:
            return self._number(*_NUMBERS[verb], modifier)
        match verb:
            case "k" | "v" | "s" | "t":
                return self._text(verb, modifier)
            case "R":
                if has_modifier:
                    raise self._error("%R takes no modifier: %V{little32} and so on do")
                return self._number(*_NUMBERS["V"], _Modifier("big32"))
            case "i":
                numbers = count(1)
                return _shown(self._shape(modifier), lambda *_: next(numbers))
            case "a":
                return self._attribute(modifier)
        if verb in _NOT_KEPT:
            raise self._error(f"%{verb}: {_NOT_KEPT[verb]} is not kept with a record")
        raise self._error(f"%{verb} is not a verb")

    def _number(self, op: Op, number: _Number, modifier: _Modifier) -> Part:
        shape = self._shape(modifier)
        # What the codec writes by itself.
        return Instruction(op) if shape is SHAPES["ascii"] else _shown(shape, number)

    def _shape(self, modifier: _Modifier) -> Shape:
        name = modifier.name or "ascii"
        if modifier.argument is None and name in SHAPES:
            return SHAPES[name]
        raise self._error(f"{{{modifier}}} can't be used for a number: {', '.join(SHAPES)} can")

    def _text(self, verb: str, modifier: _Modifier) -> Part:
        if modifier.name in _ENCODINGS and modifier.argument is None:
            encoding = _ENCODINGS[modifier.name]
            if verb != "t":
                return Instruction(_TEXTS[verb], encoding=encoding, null=self.null)
            named = Record(value=self.topic.encode())
            whole = Template([Instruction(Op.VALUE, encoding=encoding)])
            return literal(whole.format(named, 0))
        convert = self._conversion(modifier)
        null = self.null
        if verb == "t":
            return literal(convert(self.topic.encode()))
        if verb == "k":
            return lambda record, _: null if record.key is None else convert(record.key)
        return lambda record, _: null if record.value is None else convert(record.value)

    def _conversion(self, modifier: _Modifier) -> Callable[[bytes], bytes]:
        if modifier.name == "base64raw" and modifier.argument is None:
            return lambda data: base64.b64encode(data).rstrip(b"=")
        if modifier.name == "unpack" and modifier.argument is not None:
            try:
                return unpacker(modifier.argument)
            except ValueError as exc:
                raise self._error(str(exc)) from exc
        names = ", ".join([*filter(None, _ENCODINGS), "base64raw", "unpack[…]"])
        raise self._error(f"{{{modifier}}} can't be used for a text: {names} can")

    def _time(self, modifier: _Modifier) -> Part:
        if modifier.argument is None:
            raise self._error(f"{{{modifier.name}}} needs a layout, as in {{{modifier.name}[…]}}")
        try:
            write = time_writer(modifier.name, modifier.argument)
        except ValueError as exc:
            raise self._error(f"{{{modifier}}} is not a layout") from exc
        return lambda record, _: write(record.timestamp_ms)

    def _attribute(self, modifier: _Modifier) -> Part:
        name, _, shape = modifier.name.partition(";")
        if name != "timestamp-type":
            raise self._error("of %a{…} only timestamp-type is kept with a record")
        return _shown(
            self._shape(modifier._replace(name=shape)), lambda record, _: int(record.timestamp_type)
        )

    def _headers(self) -> Part:
        self.at += 1
        self.in_headers = True
        loop = Template(self.parse())
        self.in_headers = False
        return lambda record, partition: b"".join(
            [
                loop.format(Record(key=name, value=value), partition)
                for name, value in record.headers
            ]
        )

    def _plain_headers(self) -> Function:
        null = self.null
        return lambda record, _: b",".join(
            [name + b"=" + (null if value is None else value) for name, value in record.headers]
        )

    def _escape(self) -> Part:
        character = self._take("a character behind \\")
        if character == "x":
            pair = _HEX_PAIR.match(self.template, self.at)
            if pair is None:
                raise self._error("\\x needs two hexadecimal digits")
            self.at = pair.end()
            return literal(bytes.fromhex(pair[0]))
        if character in _ESCAPES:
            return literal(_ESCAPES[character])
        if character.isalnum():
            raise self._error(f"\\{character} is not an escape: \\n \\t \\r \\0 \\\\ \\xNN are")
        return literal(character)

    def _modifier(self) -> _Modifier:
        """Read `{name}` or `{name[argument]}`; the argument's brackets may be any, repeated."""
        name = _MODIFIER.match(self.template, self.at)
        assert name is not None
        self.at = name.end()
        argument = None
        if not self.template.startswith("}", self.at):
            opener = self._take("} behind a modifier")
            size = 1
            while self.template.startswith(opener, self.at):
                self.at, size = self.at + 1, size + 1
            closer = _CLOSERS.get(opener, opener) * size
            end = self.template.find(closer, self.at)
            if end < 0:
                raise self._error(f"{opener * size} is not closed by {closer}")
            argument, self.at = self.template[self.at : end], end + len(closer)
        if self._take("} behind a modifier") != "}":
            raise self._error("a modifier is not closed by }")
        return _Modifier(name[1], argument)

    def _take(self, wanted: str = "") -> str:
        if self.at >= len(self.template):
            raise self._error(f"it ends where there should be {wanted}")
        self.at += 1
        return self.template[self.at - 1]

    def _error(self, problem: str) -> UsageError:
        return UsageError(
            f"Invalid argument: -f {self.template!r}: {problem} (character {self.at})",
            hint=f"verbs are {_VERBS}; %% is a percent sign",
        )


def _size(data: bytes | None) -> int:
    return -1 if data is None else len(data)


def _shown(shape: Shape, number: _Number) -> Function:
    return lambda record, partition: shape(number(record, partition))
