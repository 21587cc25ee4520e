"""WASM modules: where compiled ones are kept, what of that is believed, and memory."""

import gc
import hashlib
import json
import stat
import subprocess
import sys

import pytest
import wasmtime

from dataflare_cli import wasm
from dataflare_cli.codec import kernel
from dataflare_cli.errors import Unreachable
from dataflare_cli.wasm import compiled, trusted

ONE, TWO = (
    wasmtime.wat2wasm(f'(module (func (export "number") (result i32) (i32.const {number})))')
    for number in (1, 2)
)


@pytest.fixture(autouse=True, scope="module")
def small_things_stay_with_python():
    """Leave the process as a short command has it: other tests' `auto` means Python."""
    yield
    kernel._loaded.clear()


def number_of(module: wasmtime.Module) -> int:
    store = wasmtime.Store(compiled.engine_of(compiled.ROOMY))
    number = wasmtime.Instance(store, module, []).exports(store)["number"]
    assert isinstance(number, wasmtime.Func)
    return int(number(store))


@pytest.fixture
def artefact(home):
    """The file where module ONE is kept, compiled."""
    assert 1 == number_of(compiled.compile_cached(ONE))
    (file,) = (home / ".cache" / "dataflare" / "wasm").iterdir()
    return file


def test_the_kernel_is_what_its_description_says():
    """The shipped artefact has the checksum that was written down when it was built."""
    described = json.loads(
        (trusted.resources.files("dataflare_cli.wasm") / "kernel.wasm.json").read_text()
    )

    assert described["sha256"] == hashlib.sha256(wasm.wasm_bytes("kernel")).hexdigest()
    assert described["rustc"].startswith("rustc ")


def checksum(file, data: bytes) -> bytes:
    """Return the SHA-256 of an artefact and its name."""
    return hashlib.sha256(data + file.stem.encode()).digest()


def test_compiled_modules_are_kept_for_their_owner_only(artefact):
    """The directory is 0700 and the file 0600; it begins with a checksum of the rest."""
    stored = artefact.read_bytes()

    assert 0o700 == stat.S_IMODE(artefact.parent.stat().st_mode)
    assert 0o600 == stat.S_IMODE(artefact.stat().st_mode)
    assert checksum(artefact, stored[32:]) == stored[:32]


def test_a_kept_module_is_not_compiled_again(artefact):
    """What is in the file is what is run: here, another module under this one's name."""
    other = bytes(compiled.compile_cached(TWO).serialize())
    artefact.write_bytes(checksum(artefact, other) + other)

    assert 2 == number_of(compiled.compile_cached(ONE))


def test_an_artefact_under_another_name_is_compiled_again(artefact):
    """Its checksum is of its name, too: a module is never run for another one."""
    compiled.compile_cached(TWO)
    (other,) = (each for each in artefact.parent.iterdir() if each != artefact)
    artefact.write_bytes(other.read_bytes())

    assert 1 == number_of(compiled.compile_cached(ONE))


@pytest.mark.parametrize("place", [0, 31, 32, 100, 5_000, -1])
def test_a_damaged_artefact_is_compiled_again(artefact, place):
    """A flipped byte anywhere is noticed before wasmtime sees it; the file is whole again."""
    whole = artefact.read_bytes()
    damaged = bytearray(whole)
    damaged[place] ^= 0x10
    artefact.write_bytes(damaged)

    assert 1 == number_of(compiled.compile_cached(ONE))
    assert whole == artefact.read_bytes()


@pytest.mark.parametrize("size", [0, 31, 32, 1_000])
def test_a_cut_artefact_is_compiled_again(artefact, size):
    """A file that lost its end is not believed either."""
    whole = artefact.read_bytes()
    artefact.write_bytes(whole[:size])

    assert 1 == number_of(compiled.compile_cached(ONE))
    assert whole == artefact.read_bytes()


def test_what_wasmtime_refuses_is_compiled_again(artefact):
    """A whole artefact may be of another processor: wasmtime says so."""
    other = b"not for this machine"
    artefact.write_bytes(checksum(artefact, other) + other)

    assert 1 == number_of(compiled.compile_cached(ONE))


def test_without_a_cache_modules_are_compiled(home):
    """Where no directory can be made, that costs time only."""
    (home / ".cache").write_bytes(b"a file in its way")

    assert compiled.cache_directory() is None
    assert 1 == number_of(compiled.compile_cached(ONE))


def test_a_directory_in_the_files_place_is_left_alone(artefact):
    """What can't be read or written is compiled in memory."""
    artefact.unlink()
    artefact.mkdir()

    assert 1 == number_of(compiled.compile_cached(ONE))
    assert [artefact] == list(artefact.parent.iterdir())


def test_a_directory_that_others_can_write_to_is_not_used(artefact):
    """Nothing in it is believed, and nothing is put there."""
    artefact.unlink()
    artefact.parent.chmod(0o770)

    assert compiled.cache_directory() is None
    assert 1 == number_of(compiled.compile_cached(ONE))
    assert [] == list(artefact.parent.iterdir())


def test_old_artefacts_go(artefact):
    """The cache keeps a limited number of files, the newest."""
    for number in range(compiled.ARTEFACTS_MAX + 10):
        (artefact.parent / f"{number}.cwasm").touch()
    compiled.compile_cached(TWO)
    left = {file.name for file in artefact.parent.iterdir()}

    assert compiled.ARTEFACTS_MAX == len(left)
    assert f"{compiled.artefact_name(TWO, compiled.ROOMY)}.cwasm" in left


def test_names_tell_what_was_compiled_and_how():
    """Another module or other settings are another file."""
    names = {compiled.artefact_name(code, how) for code in (ONE, TWO) for how in compiled.CHOICES}

    assert 4 == len(names)


def test_memory_grows_and_stays_where_it_is():
    """Views from before see what is written after; growing is by pages, never back."""
    instance = kernel.new_instance()
    before, size = instance.memory, instance.memory_bytes
    instance.reserve(size + 1)
    instance.memory[size - 1] = 7

    assert size + trusted.PAGE_BYTES == instance.memory_bytes == len(instance.memory)
    assert 7 == before[size - 1]
    instance.reserve(10)
    assert size + trusted.PAGE_BYTES == instance.memory_bytes


def test_views_outlive_their_instance():
    """Whoever holds memory holds what it lies in."""
    instance = kernel.new_instance()
    view = instance.memory[-4:]
    view[:] = b"mine"
    del instance
    gc.collect()

    assert b"mine" == bytes(view)


def test_more_memory_than_there_can_be_is_refused():
    """4 GiB is the end, and an error with a next step."""
    instance = kernel.new_instance()
    with pytest.raises(Unreachable, match="memory"):
        instance.reserve((4 << 30) + 1)


def test_a_trap_is_a_bug():
    """Code that breaks its own rules is stopped; that is no error of the user's."""
    instance = kernel.new_instance()
    control = instance.call("encode_control")
    instance.memory[control : control + 128] = b"\xff" * 128
    with pytest.raises(RuntimeError, match="encode trapped"):
        instance.call("encode")


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), int(sys.argv[1])))
from dataflare_cli.wasm import trusted
from dataflare_cli.codec.lines import TextOptions, encode_text
result = encode_text(b"line\\n" * 1000, TextOptions(), final=True, engine="kernel")
print(result.line_count, [settings.reservation_bytes for _, settings in trusted._modules])
"""


def test_little_address_space_is_enough():
    """Under `ulimit -v` memories are smaller and every access is checked; the results are equal."""
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, str(3 << 30)], capture_output=True, text=True, check=False
    )

    assert ("", "1000 [4294967296, 536870912]\n") == (ran.stderr, ran.stdout)


IMPORTED = """
import sys
from dataflare_cli.codec import kernel
kernel.is_loaded()
print({"wasmtime", "ctypes", "cramjam", "google_crc32c"} & set(sys.modules))
"""


def test_importing_the_codec_loads_no_wasm():
    """A short command never pays for what it does not use."""
    ran = subprocess.run(
        [sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=False
    )

    assert ("", "set()\n") == (ran.stderr, ran.stdout)
