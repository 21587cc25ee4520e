"""JSON in values: read, and written again without changing a number.

Hides how numbers are kept as they were written (`1.0`, `1e400`, `-0`, integers of any
length). Of a name given twice the last one counts, as everywhere.
"""

from typing import Any

import msgspec

from dataflare_cli.errors import DataError

_DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
    float_hook=lambda text: msgspec.Raw(text.encode())
)


def decode(data: bytes) -> Any:
    """Return dicts, lists, texts, and numbers that only `compact` and `pretty` understand.

    Raises:
        DataError: it is not JSON; says what and where.
    """
    # The fast way can't keep the sign of -0, or integers of thousands of digits.
    if b"-0" not in data:
        try:
            return _DECODER.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
    return _decode_slowly(data)


def compact(value: Any) -> str:
    """Return decoded JSON as text without blanks, names in their order."""
    return msgspec.json.encode(value).decode()


def pretty(value: Any) -> bytes:
    """Return decoded JSON over several lines, indented by two, names sorted."""
    return msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=2)


def _decode_slowly(data: bytes) -> Any:
    import json

    def raw(text: str) -> msgspec.Raw:
        return msgspec.Raw(text.encode())

    def refuse(text: str) -> None:
        raise DataError(f"{text} is not JSON")

    try:
        value = json.loads(data.decode(), parse_int=raw, parse_float=raw, parse_constant=refuse)
        msgspec.json.encode(value)  # finds surrogates that stand alone
    except json.JSONDecodeError as exc:
        what = exc.msg[:1].lower() + exc.msg[1:]
        raise DataError(f"{what} at line {exc.lineno} column {exc.colno}") from exc
    except UnicodeDecodeError as exc:
        raise DataError(f"not UTF-8 at byte {exc.start}") from exc
    except UnicodeEncodeError as exc:
        raise DataError("half of a surrogate pair in a string") from exc
    except RecursionError as exc:
        raise DataError("nested too deeply") from exc
    return value
