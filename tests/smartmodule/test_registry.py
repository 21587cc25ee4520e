"""The registry: which bytes a name means."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import wat

from dataflare_cli.catalog import Catalog
from dataflare_cli.errors import (
    Corruption,
    DataError,
    InvalidModule,
    NotFound,
    Unreachable,
    UsageError,
)
from dataflare_cli.model import SMARTMODULE_BYTES_MAX, Package, SmartModuleKind
from dataflare_cli.smartmodule import builtin
from dataflare_cli.smartmodule.registry import (
    Found,
    Registry,
    builtin_module,
    described,
    read_module,
)
from dataflare_cli.store import Store

BUILT_IN = "regex-filter"


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """A catalog of its own."""
    with Store.open(tmp_path / "data") as store:
        yield Catalog(store)


def wasm_of(said: str) -> bytes:
    """Return a module like others, but for one word."""
    return wat.with_section(wat.puppet(), "said", said.encode())


def put(catalog: Catalog, name: str, full_name: str | None = None, said: str | None = None) -> str:
    """Store a module, as a package if it has a full name; return what lists call it."""
    package = None
    if full_name is not None:
        group, _, rest = full_name.partition("/")
        package_name, _, version = rest.partition("@")
        package = Package(group=group, name=package_name, version=version)
    wasm = wasm_of(name if said is None else said)
    found = Found(name, hashlib.sha256(wasm).hexdigest(), wasm, "file")
    module = described(name, found, package)
    catalog.put_smartmodule(module, wasm)
    return module.shown_name


def resolve(catalog: Catalog | None, uses: str) -> Found:
    return Registry(lambda: catalog).resolve(uses)


def test_a_stored_module_is_found_by_its_name(catalog):
    """With its bytes, and their hash."""
    put(catalog, "upper")
    wasm = wasm_of("upper")

    assert Found("upper", hashlib.sha256(wasm).hexdigest(), wasm, "stored") == (
        resolve(catalog, "upper")
    )


@pytest.mark.parametrize(
    ("uses", "expected"),
    [
        ("f", "g/f@1.10.0"),
        ("g/f", "g/f@1.10.0"),
        ("g/f@*", "g/f@1.10.0"),
        ("f@1.9.0", "g/f@1.9.0"),
        ("g/f@1.9", "g/f@1.9.0"),
        ("g/f@^1.2", "g/f@1.10.0"),
        ("g/f@>=1.0,<1.10", "g/f@1.9.0"),
        ("g/f@2.0.0-rc.1", "g/f@2.0.0-rc.1"),
        ("f-g-1.9.0", "g/f@1.9.0"),
    ],
)
def test_a_package_is_found_by_its_names(uses, expected, catalog):
    """By name, full name, requirement, and the name that it is stored under."""
    for version in ("1.9.0", "1.10.0", "2.0.0-rc.1"):
        put(catalog, f"f-g-{version}", f"g/f@{version}")

    assert expected == resolve(catalog, uses).name


def test_a_module_of_the_name_comes_before_a_package_of_it(catalog):
    """What was stored as `f` is `f`; the package is still there under its group."""
    put(catalog, "f-g-1.0.0", "g/f@1.0.0")
    put(catalog, "f")

    assert ["f", "g/f@1.0.0", "g/f@1.0.0"] == [
        resolve(catalog, uses).name for uses in ("f", "g/f", "f@1")
    ]


def test_several_groups_are_refused(catalog):
    """Never guessed, and all are named; a group's own is none of this."""
    for group in ("b", "a"):
        put(catalog, f"f-{group}-1.0.0", f"{group}/f@1.0.0")
    for uses in ("f", "f@1"):
        with pytest.raises(DataError, match="may mean the SmartModule of several") as caught:
            resolve(catalog, uses)
        assert "say which: a/f, b/f" == caught.value.hint

    assert "b/f@1.0.0" == resolve(catalog, "b/f").name


def test_several_that_say_they_are_the_same_version_are_refused(catalog):
    """Unless they are the same bytes; each is still there under its own name."""
    put(catalog, "mine", "g/f@1.0.0", said="one")
    put(catalog, "yours", "g/f@1.0.0", said="one")
    assert wasm_of("one") == resolve(catalog, "g/f").wasm

    put(catalog, "yours", "g/f@1.0.0", said="other")
    with pytest.raises(DataError, match="several SmartModules that say they are g/f@1") as caught:
        resolve(catalog, "g/f")
    assert "say which: mine, yours" == caught.value.hint
    assert wasm_of("other") == resolve(catalog, "yours").wasm


def test_a_version_that_is_not_there(catalog):
    """Those that are, are named."""
    for version in ("0.1.0", "0.2.0"):
        put(catalog, f"f-g-{version}", f"g/f@{version}")
    with pytest.raises(NotFound, match="SmartModule g/f@1 was not found") as caught:
        resolve(catalog, "g/f@1")

    assert "there is 0.1.0, 0.2.0" == caught.value.hint


def test_a_version_that_makes_no_sense(catalog):
    """It is no version, not a missing module."""
    put(catalog, "f-g-0.1.0", "g/f@0.1.0")
    with pytest.raises(UsageError, match="'latest' is not a version requirement"):
        resolve(catalog, "g/f@latest")


def test_bytes_that_are_not_what_was_stored(catalog):
    """Said before anything of them runs; others are as they were."""
    put(catalog, "upper")
    put(catalog, "sound")
    digest = resolve(catalog, "upper").sha256
    with catalog.store.change("test", "damage") as change:
        change.put(b"blobs", bytes.fromhex(digest), wasm_of("evil"))
    with pytest.raises(Corruption, match=f"upper is corrupt: expected SHA-256 {digest}"):
        resolve(catalog, "upper")

    assert wasm_of("sound") == resolve(catalog, "sound").wasm


def test_bytes_that_are_gone(catalog):
    """Damage as well: nothing must not pass for an empty module."""
    put(catalog, "upper")
    with catalog.store.change("test", "damage") as change:
        change.delete(b"blobs", bytes.fromhex(resolve(catalog, "upper").sha256))
    with pytest.raises(Corruption):
        resolve(catalog, "upper")


def test_a_built_in_module_needs_no_store():
    """And is what was shipped."""
    found = resolve(None, BUILT_IN)

    assert (BUILT_IN, "built-in") == (found.name, found.origin)
    assert found.sha256 == builtin.builtin_sha256(BUILT_IN)
    assert found == resolve(None, f"dataflare/{BUILT_IN}") == builtin_module(BUILT_IN)


def test_the_catalog_is_opened_once_and_only_if_it_is_asked():
    """A registry of whom nothing stored is asked opens nothing."""
    opened = []
    registry = Registry(lambda: opened.append(1))
    assert [] == opened
    registry.resolve(BUILT_IN)
    registry.resolve(BUILT_IN)

    assert [1] == opened


def test_what_is_stored_hides_what_is_built_in(catalog):
    """A name is the user's; the group still means the built-in one."""
    put(catalog, BUILT_IN)

    assert "stored" == resolve(catalog, BUILT_IN).origin
    assert "built-in" == resolve(catalog, f"dataflare/{BUILT_IN}").origin
    assert "built-in" == builtin_module(BUILT_IN).origin
    with pytest.raises(NotFound):
        resolve(catalog, f"other/{BUILT_IN}")


def test_built_in_modules_have_versions():
    """A requirement is held against the one there is."""
    version = builtin.builtin_metadata(BUILT_IN).version

    assert "built-in" == resolve(None, f"{BUILT_IN}@{version}").origin
    assert "built-in" == resolve(None, f"dataflare/{BUILT_IN}@>=0").origin
    with pytest.raises(NotFound, match=f"SmartModule {BUILT_IN}@>99 was not found") as caught:
        resolve(None, f"{BUILT_IN}@>99")
    assert f"the built-in one is {version}" == caught.value.hint


def test_a_name_that_nothing_has(catalog):
    """Close ones are offered, stored or built in; else how to see all."""
    put(catalog, "upper")
    put(catalog, "f-g-1.0.0", "g/very-special@1.0.0")

    def hint_of(uses: str) -> str | None:
        with pytest.raises(NotFound, match="was not found") as caught:
            resolve(catalog, uses)
        assert (1, uses) == (caught.value.exit_code, caught.value.name)
        return caught.value.hint

    assert 'did you mean "upper"?' == hint_of("uper")
    assert str(hint_of("regex-filtre")).startswith(f'did you mean "{BUILT_IN}"')
    assert 'did you mean "g/very-special@1.0.0"?' == hint_of("g/very-spezial")
    assert "dataflare smartmodule list" in str(hint_of("zzzzzz"))
    assert "--smartmodule-path takes a file" in str(hint_of("zzzzzz"))


@pytest.mark.parametrize("uses", ["", "/", "@", "a/b/c", "a@", "/a", "a/", "@1", "a/@1", "ä\udcff"])
def test_what_is_no_name_is_not_found(uses, catalog):
    """It is never taken for a part of one."""
    put(catalog, "a")
    with pytest.raises(NotFound):
        resolve(catalog, uses)


def test_a_file(tmp_path):
    """Its name in errors is the file's, not the way there."""
    path = tmp_path / "my.wasm"
    path.write_bytes(wat.puppet())
    digest = hashlib.sha256(wat.puppet()).hexdigest()

    assert Found("my.wasm", digest, wat.puppet(), str(path)) == read_module(path)


def test_a_file_that_is_none(tmp_path):
    """Not there, a directory, or far too large: not read to its end."""
    with pytest.raises(Unreachable, match=r"no\.wasm: No such file or directory"):
        read_module(tmp_path / "no.wasm")
    with pytest.raises(Unreachable, match="Is a directory"):
        read_module(tmp_path)
    with (tmp_path / "large.wasm").open("wb") as file:
        file.truncate(SMARTMODULE_BYTES_MAX + 1)
    with pytest.raises(DataError, match=r"has more than 67\.1 MB, which no SmartModule may have"):
        read_module(tmp_path / "large.wasm")


def test_what_is_described_has_been_looked_at():
    """Its kind comes from the bytes; what is no module gets no row."""
    package = Package(group="g", name="f", version="1.0.0")
    wasm = wat.module(kind="array_map")
    row = described("f", Found("f", "0" * 64, wasm, "file"), package)

    assert ("f", "g/f@1.0.0", len(wasm)) == (row.name, row.shown_name, row.size_bytes)
    assert SmartModuleKind.ARRAY_MAP is row.kind
    with pytest.raises(InvalidModule, match="SmartModule f is invalid: it is empty"):
        described("f", Found("f.wasm", "0" * 64, b"", "file"), None)
