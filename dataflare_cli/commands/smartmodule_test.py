"""`dataflare smartmodule test`: one run over given records, or the tests of fixture files."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from dataflare_cli.commands.chain_options import (
    ModuleOptions,
    chain_steps,
    read_limits,
    read_lookback,
    read_params,
    single_module_options,
)
from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.request import argument, command_of, option
from dataflare_cli.commands.stored import counted, quiet_catalog
from dataflare_cli.errors import ModuleFailed, UsageError
from dataflare_cli.text.files import read_file

if TYPE_CHECKING:
    from dataflare_cli.smartmodule.chain import Step
    from dataflare_cli.smartmodule.transforms import StepSpec


@dataclass(frozen=True, kw_only=True)
class Request(ModuleOptions):
    """Run a SmartModule over some records, or the tests in fixture files.

    With --text, --stdin or --file: those records go through one module, or a chain, and its
    values come out, a line each; without a module named it is what was built in this directory.

    Else the tests of *.smtest.yaml and *.smtest.json files, named or below the PATHs (below
    the working directory without any): exit 0 if all pass, 1 if one fails, 2 if a file is
    malformed, 4 if there is no test.

    Such a file has module (a name or FILE.wasm), package (a directory) or transforms (steps),
    params and lookback, and tests: name, params, lookback, history, initial, input, expect
    (records or count, dropped, error, error_offset), deterministic, time_ms_max, fuel_max.

    Fields of -O json: total, passed, failed, not_run, time_s, and tests: file, line, name,
    passed, updated, time_s, module_time_ms, fuel, problems (what, text, difference), printed.

    \b
    Example:
      dataflare smartmodule test --smartmodule regex-filter -e regex=error --text 'an error'
      dataflare smartmodule test --wasm-file upper.wasm --file names.txt --key-value
      dataflare smartmodule test
      dataflare smartmodule test tests/ --report junit=report.xml
      dataflare smartmodule test upper.smtest.yaml --update
    """

    path: Annotated[
        list[Path] | None, argument(metavar="[PATH]...", help="Fixtures, or where they are")
    ] = None
    text: Annotated[
        str | None, option("--text", metavar="TEXT", help="Run this record through it")
    ] = None
    stdin: Annotated[bool, option("--stdin", help="Run the lines of stdin through it")] = False
    file: Annotated[
        Path | None, option("--file", metavar="FILE", help="Run the lines of a file through it")
    ] = None
    raw: Annotated[bool, option("--raw", help="With --file: the whole file is one record")] = False
    key: Annotated[str | None, option("--key", metavar="TEXT", help="The key of the records")] = (
        None
    )
    key_value: Annotated[bool, option("-k", "--key-value", help="Print [key] value")] = False
    verbose: Annotated[
        bool, option("-v", "--verbose", help="First print how many records came out")
    ] = False
    record: Annotated[
        list[str] | None,
        option("-r", "--record", metavar="TEXT", help="A record for look-back (repeatable)"),
    ] = None
    wasm_file: Annotated[
        Path | None, option("--wasm-file", metavar="FILE", help="The module: a .wasm file")
    ] = None
    smartmodule: Annotated[
        str | None,
        option("--smartmodule", "--sm", metavar="SMARTMODULE", help="The module: its name"),
    ] = None
    package_path: Annotated[
        Path | None,
        option(
            "-p",
            "--package-path",
            metavar="DIRECTORY",
            help="The module: what was built of the package there",
        ),
    ] = None
    filter: Annotated[
        str | None, option("--filter", metavar="TEXT", help="Only tests with this in their name")
    ] = None
    fail_fast: Annotated[bool, option("--fail-fast", help="Stop at the first that fails")] = False
    update: Annotated[
        bool, option("--update", help="Write what came out into the tests that fail")
    ] = False
    watch: Annotated[
        bool, option("--watch", help="Run again whenever a file changes, until Ctrl-C")
    ] = False
    report: Annotated[
        list[str] | None,
        option("--report", metavar="junit=FILE", help="Write a report, too (repeatable)"),
    ] = None
    output: Annotated[
        str, option("-O", "--output", metavar="text|json", help="How to show the tests")
    ] = "text"
    nowasi: Annotated[bool, option("--nowasi", help="smdk's; no matter here", hidden=True)] = False
    release: Annotated[
        str | None, option("--release", metavar="PROFILE", help="smdk's", hidden=True)
    ] = None


def test(env: Environment, request: Request) -> None:
    """Do one or the other."""
    inputs = {
        "--text": request.text is not None,
        "--stdin": request.stdin,
        "--file": request.file is not None,
    }
    given = [name for name, is_given in inputs.items() if is_given]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} can't be used together")
    _refuse_misplaced(env, request, is_single=bool(given))
    if given:
        _run_once(env, request)
    else:
        from dataflare_cli.commands.smartmodule_fixtures import Tests

        Tests(env, request).run()


def _refuse_misplaced(env: Environment, request: Request, *, is_single: bool) -> None:
    """Refuse what belongs to the other of the two things that the command does."""
    if is_single:
        for name, is_given in {
            "PATH": bool(request.path),
            "--filter": request.filter is not None,
            "--fail-fast": request.fail_fast,
            "--update": request.update,
            "--watch": request.watch,
            "--report": bool(request.report),
            "-O json": request.output != "text" and "output" not in env.from_settings,
        }.items():
            if is_given:
                raise UsageError(
                    f"{name} is for fixtures: it makes no sense with --text, --stdin or --file"
                )
        if request.raw and request.file is None:
            raise UsageError("--raw needs --file")
        return
    for name, is_given in {
        "--raw": request.raw,
        "--key": request.key is not None,
        "--key-value": request.key_value,
        "--verbose": request.verbose,
        "--record": bool(request.record),
        **_modules(request),
        **single_module_options(request),
        "--aggregate-initial": request.aggregate_initial is not None,
    }.items():
        if is_given:
            raise UsageError(
                f"{name} needs records to run: --text, --stdin or --file",
                hint="fixtures say themselves what they test, and with what",
            )


def _modules(request: Request) -> dict[str, bool]:
    return {
        "--wasm-file": request.wasm_file is not None,
        "--smartmodule": request.smartmodule is not None,
        "--package-path": request.package_path is not None,
        "--transforms": request.transforms is not None,
        "--transforms-line": bool(request.transforms_line),
    }


# ------------------------------------------------------------------------ one run


def _run_once(env: Environment, request: Request) -> None:
    """Run records through a chain, and print what comes out before its first failure."""
    from dataflare_cli.model import Record
    from dataflare_cli.smartmodule.fixtures.runner import Job, run_chain
    from dataflare_cli.text.formats import FormatOptions, make_formatter

    steps = _load(env, _choose_steps(env, request))
    key = _bytes(request.key)
    history = request.record or ()
    if history and not any(step.lookback is not None for step in steps):
        raise UsageError("--record: nobody asks for it", hint="--lookback-last N")
    job = Job(
        steps,
        read_limits(request),
        [Record(value, key, offset=at) for at, value in enumerate(_read_values(env, request))],
        [Record(_bytes(text), offset=at) for at, text in enumerate(history)],
        _bytes(request.aggregate_initial) or b"",
        time.time_ns() // 1_000_000,
    )
    outcome = run_chain(job, log=lambda module, text: env.say(f"{module}: {text}"))
    if request.verbose:
        env.print(f"{counted(len(outcome.records), 'record')} outputted")
    formatter = make_formatter(
        FormatOptions(key_value=request.key_value, terminal=env.stdout_is_terminal)
    )
    env.write(b"".join(formatter.format(each, 0) for each in outcome.records))
    if outcome.error is not None:
        if isinstance(outcome.error, ModuleFailed) and outcome.error.hint is None:
            outcome.error.hint = f'in the SmartModule "{outcome.error.module}"'
        raise outcome.error


def _choose_steps(env: Environment, request: Request) -> "list[StepSpec]":
    """Return the module or the chain that was asked for, or what was built here."""
    from dataflare_cli.smartmodule import package
    from dataflare_cli.smartmodule.transforms import Origin, StepSpec

    given = [name for name, is_given in _modules(request).items() if is_given]
    if len(given) > 1:
        raise UsageError(f"{', '.join(given)} can't be used together")
    if request.transforms is not None or request.transforms_line:
        for name, is_given in single_module_options(request).items():
            if is_given:
                raise UsageError(
                    f"{name} is for a single module",
                    hint="a chain has its parameters in the file, or in the line's JSON",
                )
        return chain_steps(env, request)
    params, lookback = read_params(env, request), read_lookback(request)
    if request.smartmodule is not None:
        return [StepSpec(request.smartmodule, params, lookback)]
    path = request.wasm_file
    if path is None:
        directory = request.package_path or Path()
        if not given and not (env.cwd / package.FILE).exists():
            raise UsageError(
                "which SmartModule?",
                hint="--smartmodule NAME, --wasm-file FILE, --package-path DIRECTORY, or a chain",
            )
        about = package.read_package_file(env.cwd / directory).package
        path = package.find_built(env.cwd / directory, about.name)
    return [StepSpec(str(path), params, lookback, Origin.FILE)]


def _load(env: Environment, specs: "list[StepSpec]") -> "list[Step]":
    from dataflare_cli.smartmodule.plan import load_steps
    from dataflare_cli.smartmodule.registry import Registry

    return load_steps(specs, Registry(lambda: quiet_catalog(env)), env.cwd)


def _read_values(env: Environment, request: Request) -> list[bytes]:
    from dataflare_cli.smartmodule.fixtures.runner import INPUT_BYTES_MAX, lines_of

    if request.text is not None:
        return [_bytes(request.text) or b""]
    if request.file is None:
        with os.fdopen(os.dup(env.stdin_fd), "rb") as file:
            return lines_of(file.read())
    data = read_file(env.cwd / request.file, INPUT_BYTES_MAX, str(request.file))
    return [data] if request.raw else lines_of(data)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")


command = command_of(Request, test)
