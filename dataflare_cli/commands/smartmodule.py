"""`dataflare smartmodule`: which SmartModules there are, and what they are."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dataflare_cli.catalog import Catalog, check_name, close_matches
from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.render import show_list
from dataflare_cli.commands.shared import (
    DryRunOption,
    OutputOption,
    environment,
    noun,
)
from dataflare_cli.commands.smartmodule_author import build_command, generate_command
from dataflare_cli.commands.smartmodule_rows import (
    BUILTIN_COLUMNS,
    COLUMNS,
    builtin_rows,
    module_row,
    show_module,
    used_name,
)
from dataflare_cli.commands.smartmodule_test import command as test_command
from dataflare_cli.commands.stored import (
    NOTHING_DONE,
    existing_store,
    quiet_catalog,
    store_with,
)
from dataflare_cli.errors import (
    AlreadyExists,
    DataError,
    DataflareError,
    NotFound,
    PartialFailure,
    Unreachable,
    UsageError,
)
from dataflare_cli.log.bells import CATALOG_BELL, ring
from dataflare_cli.model import DEDUP_FILTER, SmartModuleKind
from dataflare_cli.text.units import format_bytes

if TYPE_CHECKING:
    from dataflare_cli.model import Package, SmartModule
    from dataflare_cli.smartmodule.registry import Found

app = noun("Manage, build and test SmartModules: WASM that records are run through.")

NameArgument = Annotated[
    str, typer.Argument(metavar="SMARTMODULE", help="Its name: NAME, GROUP/NAME or …@VERSION")
]


@app.command()
def create(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Its name; a package without one has its own"),
    ] = None,
    *,
    wasm_file: Annotated[
        Path | None, typer.Option("--wasm-file", metavar="FILE", help="The module")
    ] = None,
    package: Annotated[
        Path | None,
        typer.Option(
            "--package",
            metavar="DIRECTORY",
            help="The directory of its SmartModule.toml; without --wasm-file what was built there",
        ),
    ] = None,
    no_replace: Annotated[
        bool, typer.Option("--no-replace", help="It is an error if there is one of that name")
    ] = False,
    dry_run: DryRunOption = False,
) -> None:
    """Store a SmartModule, after looking whether it is one; one of the same name is replaced.

    Example:
      dataflare smartmodule create upper --wasm-file upper.wasm
      dataflare smartmodule create --package ./my-filter
    """
    env = environment(ctx)
    from dataflare_cli.smartmodule.registry import described

    found, about = _read_source(env, name, wasm_file, package)
    stored_name = _stored_name(name, about)
    module = described(stored_name, found, about)
    if dry_run:
        _show_what_would_be(env, stored_name, no_replace=no_replace)
        return
    store = env.open_store(create=True)
    if module.kind != SmartModuleKind.FILTER:
        _refuse_used(Catalog(store), module)
    before = Catalog(store).put_smartmodule(module, found.wasm, replace=not no_replace)
    ring(store.path, CATALOG_BELL)
    is_another = before is not None and before.sha256 != module.sha256
    verb = "replaced" if is_another else "created"
    env.print(f'smartmodule "{stored_name}" has been {verb}.')
    if before is not None and is_another:
        env.say(f"it took the place of one with the SHA-256 {before.sha256}")
    if before is None:
        _note_shadow(env, stored_name, about)


@app.command(name="list")
def list_(
    ctx: typer.Context,
    *,
    filter_: Annotated[
        str | None, typer.Option("--filter", metavar="TEXT", help="Only names that contain this")
    ] = None,
    builtin: Annotated[bool, typer.Option("--builtin", help="Those that come with dataflare")] = (
        False
    ),
    output: OutputOption = "table",
) -> None:
    """List stored SmartModules, or those that are built in.

    Fields of -O json: name, shown_name (of a package GROUP/NAME@VERSION), sha256, size_bytes,
    kind, created_ms, package, and Fluvio's spec and status;
    with --builtin: name, version, kind, summary, params, stateless, size_bytes, sha256.

    Example:
      dataflare smartmodule list --builtin
      dataflare smartmodule list -O json | jq -r '.[].name'
    """
    env = environment(ctx)
    if builtin:
        rows = [row for row in builtin_rows() if filter_ is None or filter_ in row["name"]]
        show_list(env, rows, BUILTIN_COLUMNS, output, empty="no smartmodules")
        return
    store = existing_store(env, read_only=True)
    stored = [] if store is None else Catalog(store).smartmodules()
    rows = [
        row
        for row in map(module_row, stored)
        if filter_ is None or filter_ in row["shown_name"] or filter_ in used_name(row)
    ]
    show_list(env, rows, COLUMNS, output, empty="no smartmodules", spare=("CREATED", "KIND"))


@app.command()
def describe(
    ctx: typer.Context, smartmodule: NameArgument, *, output: OutputOption = "table"
) -> None:
    """Show a SmartModule, stored or built in: what it is, and its parameters.

    Example:
      dataflare smartmodule describe redact
      dataflare smartmodule describe my-group/my-filter@^0.1 -O json
    """
    env = environment(ctx)
    _show_named(env, smartmodule, output)


@app.command()
def inspect(
    ctx: typer.Context,
    target: Annotated[str, typer.Argument(metavar="FILE|SMARTMODULE", help="A .wasm, or a name")],
    *,
    output: OutputOption = "table",
) -> None:
    """Tell of any WASM file, or of a SmartModule, what it is: kind, ABI, imports, memory, SDK.

    Fields of -O json: name, origin, package, version, kind, generation, abi_version, has_init,
    has_look_back, stateless, imports, exports, memory_bytes, memory_bytes_max, params, summary,
    size_bytes, sha256, sdk, output_freed.

    Example:
      dataflare smartmodule inspect target/wasm32-unknown-unknown/release/my_filter.wasm
    """
    env = environment(ctx)
    from dataflare_cli.smartmodule.registry import read_module

    path = env.cwd / target
    if path.is_file() or target.endswith(".wasm"):
        show_module(env, read_module(path), output)
    else:
        _show_named(env, target, output)


@app.command()
def delete(
    ctx: typer.Context,
    smartmodules: Annotated[
        list[str], typer.Argument(metavar="SMARTMODULE...", help="Their names")
    ],
    *,
    continue_on_error: Annotated[
        bool, typer.Option("-c", "--continue-on-error", help="Go on with the next name")
    ] = False,
    dry_run: DryRunOption = False,
) -> None:
    """Delete stored SmartModules; topics and records are not touched.

    Example:
      dataflare smartmodule delete upper
    """
    env = environment(ctx)
    failures: list[DataflareError] = []
    names = list(dict.fromkeys(smartmodules))
    for name in names:
        try:
            _delete(env, name, dry_run=dry_run)
        except NotFound as exc:
            if not continue_on_error:
                raise
            env.warn(exc.message)
            failures.append(exc)
    if dry_run:
        env.print(NOTHING_DONE)
    if failures:
        message = "Failed deleting SmartModule(s). Check previous errors."
        if len(failures) == len(names):
            raise DataflareError(message)
        raise PartialFailure(message, failed=len(failures), total=len(names))


@app.command()
def watch(
    ctx: typer.Context,
    *,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="DURATION", help="Stop after so long (124)")
    ] = None,
    output: OutputOption = "table",
) -> None:
    """Print stored SmartModules, then every one that is created, replaced or deleted.

    With -O json one object a line: event (present, created, replaced, deleted) and smartmodule.

    Example:
      dataflare smartmodule watch
    """
    from dataflare_cli.commands.smartmodule_watch import watch as run

    run(environment(ctx), output, timeout)


@app.command()
def export(
    ctx: typer.Context,
    smartmodule: NameArgument,
    *,
    file: Annotated[
        Path | None, typer.Option("-f", "--file", metavar="FILE", help="Where to (else: stdout)")
    ] = None,
) -> None:
    """Write a SmartModule's WASM to a file, stored or built in: it runs on Fluvio, too.

    Example:
      dataflare smartmodule export redact --file redact.wasm
    """
    env = environment(ctx)
    found = _find(env, smartmodule)
    if file is None:
        if env.stdout_is_terminal:
            raise UsageError("a terminal is no place for WASM", hint="name a --file")
        env.write(found.wasm)
        return
    try:
        (env.cwd / file).write_bytes(found.wasm)
    except OSError as exc:
        raise Unreachable(str(file), exc.strerror or str(exc)) from exc
    env.say(f"{file}: {format_bytes(len(found.wasm))}, SHA-256 {found.sha256}")


@app.command()
def lock(
    ctx: typer.Context,
    smartmodules: Annotated[
        list[str] | None, typer.Argument(metavar="[SMARTMODULE]...", help="Names, as they are used")
    ] = None,
    *,
    transforms: Annotated[
        list[Path] | None,
        typer.Option("-t", "--transforms", metavar="FILE", help="The names in a transforms file"),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether they are what was locked")
    ] = False,
) -> None:
    """Note in ./dataflare.lock which bytes names mean now; --locked holds runs to it.

    Names that were locked before stay; without any name all of them are locked anew.

    Example:
      dataflare smartmodule lock -t chain.yaml
      dataflare smartmodule lock --check && dataflare consume t --transforms chain.yaml --locked
    """
    from dataflare_cli.commands.smartmodule_lock import lock as run

    run(environment(ctx), smartmodules or [], transforms or [], check=check)


# --------------------------------------------------------------------------- the inside


def _read_source(
    env: Environment, name: str | None, wasm_file: Path | None, directory: Path | None
) -> "tuple[Found, Package | None]":
    from dataflare_cli.smartmodule.package import find_built, read_package_file
    from dataflare_cli.smartmodule.registry import read_module

    about = None
    if directory is not None:
        about = read_package_file(env.cwd / directory).package
    if wasm_file is not None:
        return read_module(env.cwd / wasm_file), about
    if directory is None or about is None:
        raise UsageError("which module?", hint=_where_it_is(env, name))
    return read_module(find_built(env.cwd / directory, about.name)), about


def _where_it_is(env: Environment, name: str | None) -> str:
    """Return how to say which module: a file in the place of the name is likely what is meant."""
    place = Path(name or "")
    if name and (place.suffix == ".wasm" or (env.cwd / place).is_file()):
        words = ["dataflare", "smartmodule", "create", place.stem, "--wasm-file", name]
        return shlex.join(words)
    return "--wasm-file FILE, or --package DIRECTORY"


def _note_shadow(env: Environment, stored_name: str, about: "Package | None") -> None:
    """Say so where a name that meant a built-in module means another one now."""
    from dataflare_cli.smartmodule.builtin import GROUP, builtin_names

    taken = {stored_name, stored_name if about is None else about.name}
    for name in sorted(taken.intersection(builtin_names())):
        env.say(
            f'"{name}" means this one from now on; the built-in SmartModule is "{GROUP}/{name}"'
        )


def _stored_name(name: str | None, about: "Package | None") -> str:
    from dataflare_cli.smartmodule.builtin import GROUP
    from dataflare_cli.smartmodule.package import store_name

    if about is not None and about.group == GROUP:
        raise UsageError(f"the group {GROUP} is that of the built-in SmartModules")
    if name is None:
        if about is None:
            raise UsageError("which name?", hint="dataflare smartmodule create NAME --wasm-file …")
        name = store_name(about)
    check_name(name, noun="SmartModule")
    return name


def _find(env: Environment, name: str) -> "Found":
    from dataflare_cli.smartmodule.registry import Registry

    return Registry(lambda: quiet_catalog(env)).resolve(name)


def _show_named(env: Environment, name: str, output: str) -> None:
    """Show what a name means, and what is known of its package."""
    from dataflare_cli.smartmodule.registry import STORED

    found = _find(env, name)
    package = None
    if found.origin == STORED and (catalog := quiet_catalog(env)) is not None:
        same = [each for each in catalog.smartmodules() if each.sha256 == found.sha256]
        package = next((each.package for each in same if each.shown_name == found.name), None)
    show_module(env, found, output, package)


def _show_what_would_be(env: Environment, name: str, *, no_replace: bool) -> None:
    store = existing_store(env, read_only=True)
    taken = store is not None and name in {each.name for each in Catalog(store).smartmodules()}
    if taken and no_replace:
        raise AlreadyExists("smartmodule", name, hint="leave --no-replace out")
    verb = "replaced" if taken else "created"
    env.print(f'smartmodule "{name}" would be {verb}; {NOTHING_DONE}')


def _delete(env: Environment, name: str, *, dry_run: bool) -> None:
    catalog = Catalog(store_with(env, "smartmodule", name, read_only=dry_run))
    module = _stored_module(catalog, name)
    _refuse_used(catalog, module)
    if dry_run:
        size = format_bytes(module.size_bytes)
        env.print(f'smartmodule "{name}" would be deleted: {module.kind}, {size}')
        return
    catalog.delete_smartmodule(module.name)
    ring(catalog.store.path, CATALOG_BELL)
    env.print(f'smartmodule "{name}" deleted')


def _refuse_used(catalog: Catalog, module: "SmartModule") -> None:
    """Refuse to take away what a topic needs for every record that is written to it."""
    from dataflare_cli.smartmodule.registry import STORED, Registry

    for topic in catalog.topics():
        dedup = topic.spec.deduplication
        if dedup is None or dedup.uses == DEDUP_FILTER:
            continue
        try:
            found = Registry(lambda: catalog).resolve(dedup.uses)
        except (NotFound, DataError):
            continue
        if (found.name, found.origin) == (module.shown_name, STORED):
            raise DataError(
                f'smartmodule "{module.name}" is the deduplication of the topic {topic.name}',
                hint=f"dataflare topic alter {topic.name} --no-dedup ends that",
            )


def _stored_module(catalog: Catalog, name: str) -> "SmartModule":
    """Return the module of a name, or of a full name as lists show it.

    Raises:
        NotFound: with close matches.
        DataError: several have that full name.
    """
    stored = catalog.smartmodules()
    for module in stored:
        if module.name == name:
            return module
    found = [module for module in stored if module.shown_name == name]
    if len(found) > 1:
        names = ", ".join(module.name for module in found)
        raise DataError(f"{name} is stored under several names", hint=f"say which: {names}")
    if not found:
        names_known = {each for module in stored for each in (module.name, module.shown_name)}
        close = close_matches(name, sorted(names_known))
        hint = None if close else "dataflare smartmodule list shows all that are stored"
        raise NotFound("smartmodule", name, suggestions=close, hint=hint)
    return found[0]


app.command(name="test")(test_command)
app.command(name="generate")(generate_command)
app.command(name="build")(build_command)
