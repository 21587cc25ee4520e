"""SmartModules that run: loaded once, an instance for each partition that needs one.

Hides the generations of the ABI, the order of its calls, and how a module's buffers are
freed. What comes back is bytes that nobody has believed yet: `chain` does the checking.

Invariants
- A module that loads has one transform of a known type, and imports what is here.
- A call that gave nothing is a `CallFailedError`; its instance is in no known state then.
- The output of a call is valid until the next call of the same instance.
"""

import struct
from collections.abc import Callable, Mapping
from enum import Enum
from typing import NamedTuple

from dataflare_cli.codec.engine import Bytes
from dataflare_cli.errors import InitFailed, InvalidModule, TimedOut
from dataflare_cli.model import GuestLimits, Lookback, SmartModuleKind
from dataflare_cli.smartmodule import abi
from dataflare_cli.smartmodule.mask import Mask
from dataflare_cli.smartmodule.sections import Metadata, read_metadata
from dataflare_cli.text.units import format_bytes
from dataflare_cli.wasm import (
    Deadline,
    Guest,
    GuestModule,
    InvalidWasmError,
    Signature,
    Trap,
)
from dataflare_cli.wasm.binary import MAGIC

_TRANSFORM = Signature(("i32", "i32", "i32"), ("i32",))
_TRANSFORM_2021 = Signature(("i32", "i32"), ("i32",))
_ALLOC = Signature(("i32",), ("i32",))
_DEALLOC = Signature(("i32", "i32"), ())
_NO_RECORDS = bytes(4)
# What is shorter hides nothing, and stands in every other word.
_SECRET_CHARS_MIN = 4
# Behind no records: nothing, or the tag of an absent error.
_TAILS_OF_2021 = {abi.Layout.WITH_ERRORS: b"\0", abi.Layout.BARE: b""}
# What is shorter than this is told of a longer secret: parts of words.
_SECRET_PART_CHARS = 8
# Of the memory that a module may have; what it asks for next may well be more.
_NEARLY_BYTES = 1 << 20
_SHOWN_EXPORTS = 10
_PROBE = b"prb"
_PROBE_TIMESTAMP_MS = 1_700_000_000_000
_PROBE_BYTES = 100_000
_PROBE_LIMITS = GuestLimits(time_s=1.0)
# A chunk of dlmalloc: the word before its memory has the size and two flags.
_WORD = struct.Struct("<I")
_FLAGS, _IN_USE, _BEFORE_IN_USE = 7, 2, 1
_CHUNK_HEAD_BYTES = 8


class CallFailedError(Exception):
    """A call that gave no output; `cause` is trap, time, memory, output or code."""

    def __init__(self, cause: str, text: str) -> None:
        super().__init__(text)
        self.cause, self.text = cause, text


class Freeing(Enum):
    """How an output buffer is given back: an SDK forgets it, and Fluvio's hosts, too."""

    BY_SIZE = "by the size of the output"
    BY_CHUNK = "by the size of its chunk"  # allocators of 2024 and later compare sizes
    NEVER = "never"


class Bounds(NamedTuple):
    """What holds an instance: the limits of a call, and the deadline of all calls."""

    limits: GuestLimits
    deadline: Deadline | None = None


class LoadedModule:
    """A SmartModule that can be started; may be shared by threads."""

    def __init__(self, name: str, wasm: bytes, *, counts_fuel: bool = False) -> None:
        """Compile a module and find out how it wants to be called.

        Raises:
            InvalidModule: not a SmartModule, or one that can't run here.
            Unreachable: the system gives it no memory.
        """
        self.name, self.wasm = name, wasm
        self.metadata: Metadata = read_metadata(wasm)
        self.counts_fuel = counts_fuel
        if not wasm.startswith(MAGIC):
            raise InvalidModule(name, _not_wasm(wasm))
        try:
            self.module = GuestModule(wasm, counts_fuel=counts_fuel)
        except InvalidWasmError as exc:
            raise InvalidModule(name, _one_line(str(exc))) from exc
        self.kind = self._find_kind()
        self.has_init = self._has("init")
        self.has_look_back = self._has("look_back")
        self._refuse_unusable()
        self.layout = abi.Layout.VERSIONED
        self.version = abi.VERSION
        self.freeing = Freeing.NEVER
        self._probe()

    @property
    def is_aggregate(self) -> bool:
        """Whether it carries an accumulator from call to call."""
        return self.kind is SmartModuleKind.AGGREGATE

    @property
    def is_stateless(self) -> bool:
        """Whether it says that no record influences the result for another one."""
        return self.metadata.stateless and not self.is_aggregate and not self.has_look_back

    @property
    def keeps_offsets(self) -> bool:
        """Whether an output's offset delta names the record that it was made of."""
        return self.kind is not SmartModuleKind.ARRAY_MAP or self.metadata.offsets

    def _find_kind(self) -> SmartModuleKind:
        exports = self.module.exports
        for kind in SmartModuleKind:
            if kind.value in exports:
                signature = exports[kind.value]
                if signature in (_TRANSFORM, _TRANSFORM_2021):
                    return kind
                raise InvalidModule(
                    self.name,
                    f"its export {kind.value} is not a function of (i32, i32, i32) -> i32",
                )
        others = ", ".join(sorted(exports)[:_SHOWN_EXPORTS]) or "nothing"
        if len(exports) > _SHOWN_EXPORTS:
            others += ", …"
        raise InvalidModule(
            self.name,
            f"No valid smartmodule found: it exports {others}",
            hint="a SmartModule exports one of "
            f"{', '.join(SmartModuleKind)}: is #[smartmodule(…)] above its function?",
        )

    def _has(self, name: str) -> bool:
        if name not in self.module.exports:
            return False
        if self.module.exports[name] != _TRANSFORM:
            raise InvalidModule(
                self.name, f"its export {name} is not a function of (i32, i32, i32) -> i32"
            )
        return True

    def _refuse_unusable(self) -> None:
        if self.module.memory_pages is None:
            raise InvalidModule(self.name, "it exports no memory")
        if self.module.exports.get("alloc") != _ALLOC:
            raise InvalidModule(self.name, "its export alloc is not a function of (i32) -> i32")
        if not self.module.imports:
            raise InvalidModule(
                self.name,
                "At least one import is required",
                hint="a module gives its output through env.copy_records",
            )

    # ------------------------------------------------------------------- probing

    def _probe(self) -> None:
        """Find out what types don't tell; no user code runs on an empty list of records."""
        if self.module.exports.get("dealloc") == _DEALLOC:
            self.freeing = next(
                (each for each in (Freeing.BY_SIZE, Freeing.BY_CHUNK) if self._frees(each)),
                Freeing.NEVER,
            )
        if self.module.exports[self.kind.value] == _TRANSFORM_2021:
            self._probe_layout()
        elif self.is_aggregate:
            self.version = next(
                (each for each in abi.AGGREGATE_VERSIONS if self._carries(each)),
                abi.AGGREGATE_VERSION_OLDEST,
            )

    def _frees(self, freeing: Freeing) -> bool:
        """Tell whether a buffer that is larger than what was used of it can be given back."""
        guest = self.start_guest(Bounds(_PROBE_LIMITS))
        try:
            at = guest.call("alloc", _PROBE_BYTES, time_s=_PROBE_LIMITS.time_s) & 0xFFFFFFFF
            size = _PROBE_BYTES // 2 + 1
            if freeing is Freeing.BY_CHUNK:
                size = chunk_bytes(guest, at, size)
            if size:
                guest.call("dealloc", at, size, time_s=_PROBE_LIMITS.time_s)
        except (Trap, IndexError):
            return False
        return size > 0

    def _carries(self, version: int) -> bool:
        """Tell whether an aggregate gives back the accumulator that it is given."""
        found = self._try_empty(abi.Layout.VERSIONED, version)
        return found is not None and found.accumulator == _PROBE

    def _probe_layout(self) -> None:
        """Find out which input a module of 2021 reads: what it says of no records tells."""
        self.version = 0
        for layout in (abi.Layout.WITH_ERRORS, abi.Layout.BARE):
            self.layout = layout
            if self._try_empty(layout, 0) is not None:
                return
        raise InvalidModule(self.name, "its ABI is of no generation that is known")

    def _try_empty(self, layout: abi.Layout, version: int) -> abi.Tail | None:
        instance = Instance(self, {}, None, Bounds(_PROBE_LIMITS))
        instance.envelope = abi.Envelope(layout, version, {}, None)
        accumulator = _PROBE if self.is_aggregate else None
        try:
            output = instance.run(_NO_RECORDS, 0, _PROBE_TIMESTAMP_MS, accumulator, version=version)
            records, tail = output[:4], output[4:]
            if bytes(records) != _NO_RECORDS:
                return None
            if layout is not abi.Layout.VERSIONED and bytes(tail) != _TAILS_OF_2021[layout]:
                return None
            return abi.decode_tail(tail, layout, is_aggregate=self.is_aggregate)
        except (CallFailedError, abi.MalformedError):
            return None

    def start_guest(self, bounds: Bounds, log: Callable[[str], None] = lambda _: None) -> Guest:
        """Start an instance without calling anything of it.

        Raises:
            InvalidModule: it can't be instantiated.
        """
        try:
            return Guest(
                self.module,
                memory_bytes_max=bounds.limits.memory_bytes,
                log=log,
                deadline=bounds.deadline,
            )
        except InvalidWasmError as exc:
            text = _one_line(str(exc))
            limit = " (--sm-memory)" if "memory limits" in text else ""
            raise InvalidModule(self.name, f"Failed to instantiate: {text}{limit}") from exc


class Instance:
    """One instance of a module, with its parameters; for one thread at a time."""

    def __init__(
        self,
        loaded: LoadedModule,
        params: Mapping[str, str],
        lookback: Lookback | None,
        bounds: Bounds,
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Start a module; before its first records it wants `init` to be called.

        Raises:
            InvalidModule: it can't be instantiated.
        """
        self.loaded, self.limits = loaded, bounds.limits
        self._params, self._lookback = params, lookback
        # It refers to nothing of this: a guest is freed when its instance is.
        self.public = Mask(params).apply
        public = self.public
        self.guest = loaded.start_guest(bounds, lambda text: log(public(text)))
        self.fuel_used = 0
        self.envelope = abi.Envelope(loaded.layout, loaded.version, params, lookback)
        self._output: tuple[int, int] | None = None

    def run(
        self,
        raw: Bytes,
        base_offset: int,
        base_timestamp_ms: int,
        accumulator: bytes | None = None,
        *,
        version: int | None = None,
    ) -> memoryview:
        """Give records to the transform, and return its output: records, and what follows them.

        Raises:
            CallFailedError: it gave none.
            TimedOut: the deadline is past.
        """
        loaded = self.loaded
        versions = () if loaded.layout is not abi.Layout.VERSIONED else (version or loaded.version,)
        parts = (
            self.envelope.head(base_offset, len(raw)),
            raw,
            self.envelope.tail(base_timestamp_ms, accumulator),
        )
        code = self._call(loaded.kind.value, parts, *versions)
        if code < 0:
            raise CallFailedError("code", abi.TRANSFORM_CODES.get(code, abi.TRANSFORM_CODES[-1]))
        return self._view_output()

    def init(self) -> None:
        """Give the module its parameters.

        Raises:
            InitFailed: it refuses them.
            UsageError: one is too long.
            TimedOut: the deadline is past.
        """
        if not self.loaded.has_init:
            return
        encoded = abi.encode_params(self._params, self._lookback, self.loaded.version)
        try:
            code = self._call("init", (encoded,), self.loaded.version)
            if code == abi.INIT_USER_ERROR and self.guest.copied is not None:
                raise self._refused("init", abi.decode_hint(self._view_output()))
        except (CallFailedError, abi.MalformedError) as exc:
            raise self._refused("init", str(exc)) from exc
        if code:
            raise self._refused("init", _code_text(abi.INIT_CODES, code))

    def look_back(self, raw: Bytes, base_offset: int, base_timestamp_ms: int) -> None:
        """Feed the module stored records, if it wants them.

        Raises:
            InitFailed: it refuses them, or fails.
        """
        if not self.loaded.has_look_back:
            return
        parts = (
            self.envelope.head(base_offset, len(raw)),
            raw,
            self.envelope.tail(base_timestamp_ms, None),
        )
        try:
            code = self._call("look_back", parts, self.loaded.version)
            if code == abi.LOOK_BACK_USER_ERROR:
                fault = abi.decode_look_back_fault(self._view_output())
                text = f"{fault.hint}\n\nSmartModule Lookback Error: \n{fault.place()}"
                raise self._refused("look_back", text)
        except (CallFailedError, abi.MalformedError) as exc:
            raise self._refused("look_back", str(exc)) from exc
        if code:
            raise self._refused("look_back", _code_text(abi.LOOK_BACK_CODES, code))

    def _refused(self, stage: str, text: str) -> InitFailed:
        known = [each.name for each in self.loaded.metadata.params]
        hint = f'in the SmartModule "{self.loaded.name}"'
        if known:
            hint += f"; its parameters (-e NAME=VALUE, --param-file NAME=PATH): {', '.join(known)}"
        return InitFailed(self.loaded.name, self.public(text), stage=stage, hint=hint)

    # --------------------------------------------------------------------- calls

    def _call(self, name: str, parts: tuple[Bytes, ...], *versions: int) -> int:
        """Hand over a message, and return what the function answers."""
        self._free_output()
        size = sum(map(len, parts))
        memory_bytes = self.guest.memory_bytes
        try:
            at = self._guest_call("alloc", size) & 0xFFFFFFFF
            place = at
            for part in parts:
                self.guest.write(place, part)
                place += len(part)
            code = self._guest_call(name, at, size, *versions)
        except Trap as exc:
            grew = self.guest.memory_bytes > memory_bytes
            raise self._failed(exc, size, grew=grew) from None
        except IndexError:
            raise CallFailedError("trap", "its alloc gave a place outside of its memory") from None
        self._output = self.guest.copied
        return code

    def _guest_call(self, name: str, *arguments: int) -> int:
        try:
            return self.guest.call(name, *arguments, time_s=self.limits.time_s)
        finally:
            if self.loaded.counts_fuel:
                self.fuel_used += self.guest.fuel_used

    def _failed(self, trap: Trap, size: int, *, grew: bool) -> CallFailedError:
        if trap.reason == "over":
            raise TimedOut(trap.text)
        if trap.reason == "time":
            return CallFailedError(
                "time",
                f"it took longer than the limit of {self.limits.time_s:g} s a call (--sm-time)",
            )
        # wasmtime does not tell that it refused to give memory. Vectors double, so whoever is
        # refused some has taken more for itself until it had at least half of what it may have,
        # or has almost all of it.
        limit, has = self.limits.memory_bytes, self.guest.memory_bytes
        wanted = has if grew or has > limit - _NEARLY_BYTES else 0
        if trap.reason == "trap" and max(wanted, 2 * size) > limit // 2:
            return CallFailedError(
                "memory",
                f"SmartModule memory limit exceeded: it has {has} bytes and "
                f"wants more, max allowed {limit} bytes (--sm-memory)",
            )
        text = f"it trapped: {trap.text}"
        if trap.reason == "trap" and has > limit // 2:
            text += f" (it has {has} bytes of memory, and --sm-memory is {limit})"
        return CallFailedError("trap", text)

    def _view_output(self) -> memoryview:
        if self._output is None:
            raise CallFailedError("output", "it gave no output: copy_records was not called")
        try:
            return self.guest.view(*self._output)
        except IndexError:
            at, size = self._output
            self._output = None
            raise CallFailedError(
                "output", f"its output, {size} bytes at {at}, is outside of its memory"
            ) from None

    def _free_output(self) -> None:
        """Give the last output's buffer back; without that, memory grows by it in each call."""
        output, self._output = self._output, None
        freeing = self.loaded.freeing
        if output is None or freeing is Freeing.NEVER or not output[1]:
            return
        at, size = output
        try:
            if freeing is Freeing.BY_CHUNK:
                size = chunk_bytes(self.guest, at, size)
            if size:
                self._guest_call("dealloc", at, size)
        except (Trap, IndexError) as exc:
            if isinstance(exc, Trap) and exc.reason == "over":
                raise TimedOut(exc.text) from None
            raise CallFailedError("trap", "it trapped when its output was freed") from None


def chunk_bytes(guest: Guest, at: int, size: int) -> int:
    """Return how many bytes a buffer of dlmalloc has, 0 if it does not look like one.

    Rust's allocator refuses to free a buffer by another size than it has (dlmalloc's
    validate_size), and a vector's capacity is not told. The word before the buffer has it.
    """
    try:
        word: int = _WORD.unpack(guest.read(at - _WORD.size, _WORD.size))[0]
        whole = word & ~_FLAGS
        behind = at - _CHUNK_HEAD_BYTES + whole + _WORD.size
        following: int = _WORD.unpack(guest.read(behind, _WORD.size))[0]
    except (IndexError, struct.error):
        return 0
    room = whole - _WORD.size
    is_chunk = word & _IN_USE and following & _BEFORE_IN_USE and whole % _CHUNK_HEAD_BYTES == 0
    return room if is_chunk and room >= size else 0


def _code_text(texts: Mapping[int, str], code: int) -> str:
    return texts.get(code, f"{texts[-1]} (code {code})")


def _not_wasm(data: bytes) -> str:
    if not data:
        return "it is empty"
    if data[:1] in (b"(", b";"):
        return "it is WebAssembly text, not a binary: wat2wasm makes one of it"
    return f"it is no WebAssembly binary ({format_bytes(len(data))})"


def _one_line(text: str) -> str:
    """Return what wasmtime says, its causes behind it, on one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "; ".join(line for line in lines if line != "Caused by:")
