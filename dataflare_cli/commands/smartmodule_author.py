"""`dataflare smartmodule generate` and `build`: SmartModules of one's own.

An option that was left out may be in a variable, as smdk has them: SMDK_SM_TYPE for
--sm-type.
"""

import os
import pwd
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.render import Column, show_list
from dataflare_cli.commands.request import argument, command_of, option
from dataflare_cli.commands.shared import OutputOption
from dataflare_cli.commands.stored import NOTHING_DONE
from dataflare_cli.errors import DataError, DataflareError, InvalidModule, NotFound, UsageError
from dataflare_cli.model import SmartModuleKind
from dataflare_cli.smartmodule.generate import (
    CRATE_VERSION_DEFAULT,
    SDKS,
    Project,
    check_project,
    check_vacant,
    group_of,
    project_files,
    word_of,
    write_project,
)
from dataflare_cli.text.files import read_file
from dataflare_cli.text.tomltext import read_toml
from dataflare_cli.text.units import format_bytes

MANIFEST, PACKAGE_FILE = "Cargo.toml", "SmartModule.toml"
KINDS = tuple(map(word_of, SmartModuleKind))
COLUMNS: tuple[Column, ...] = (
    ("PATH", "path"),
    ("KIND", lambda row: row["kind"] or "none"),
    ("SIZE", lambda row: format_bytes(row["size_bytes"])),
)
TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True, kw_only=True)
class GenerateRequest:
    """Make the project of a new SmartModule: one that works, with its tests.

    Each option may be an environment variable instead, as SMDK_SDK for --sdk.

    \b
    Example:
      dataflare smartmodule generate my-filter
      dataflare smartmodule generate total --sm-type aggregate --sdk dataflare
      cd my-filter && dataflare smartmodule build && dataflare smartmodule test
    """

    name: Annotated[str, argument(metavar="NAME", help="Its name, and its crate's")]
    sm_type: Annotated[
        str | None,
        option("--sm-type", metavar="|".join(KINDS), help="What it does to records (filter)"),
    ] = None
    sdk: Annotated[
        str | None,
        option(
            "--sdk",
            metavar="|".join(SDKS),
            help="Fluvio's SDK, dataflare's, or WebAssembly text: filter and map only (fluvio)",
        ),
    ] = None
    with_params: Annotated[
        bool | None, option("--with-params/--no-params", help="Whether it has a parameter (no)")
    ] = None
    project_group: Annotated[
        str | None,
        option("--project-group", metavar="GROUP", help="The group of its package (your name)"),
    ] = None
    destination: Annotated[
        str | None,
        option("--destination", metavar="DIRECTORY", help="Where its directory is to be (.)"),
    ] = None
    sm_crate_version: Annotated[
        str | None,
        option("--sm-crate-version", metavar="VERSION", help="That of Fluvio's SDK"),
    ] = None
    sm_public: Annotated[
        str | None,
        option("--sm-public", metavar="true|false", help="The package's visibility (false)"),
    ] = None
    silent: Annotated[bool | None, option("--silent", help="Don't say what was made")] = None
    dry_run: Annotated[
        bool | None, option("-d", "--dry-run", help="Only list the files that would be made")
    ] = None


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """Build a project's WASM: of Rust, or of WebAssembly text.

    Takes a Rust that has the target wasm32-unknown-unknown, else one that can make its standard
    library. Fields of -O json: path, kind (null: no SmartModule), size_bytes, sha256.

    \b
    Example:
      dataflare smartmodule build
      dataflare smartmodule build my-filter -O json | jq -r '.[].path'
      dataflare smartmodule build my-filter -- --features fast
    """

    directory: Annotated[str | None, argument(metavar="[DIRECTORY]", help="The project's (.)")] = (
        None
    )
    cargo_arguments: Annotated[
        list[str] | None, argument(metavar="[-- ARGUMENT...]", help="What else cargo is told")
    ] = None
    release: Annotated[str, option("--release", metavar="PROFILE", help="Cargo's profile")] = (
        "release"
    )
    package_name: Annotated[
        str | None,
        option("-p", "--package-name", metavar="NAME", help="Which package of a workspace"),
    ] = None
    nowasi: Annotated[
        bool | None,
        option(
            "--nowasi/--wasi",
            help="For wasm32-unknown-unknown (or SMDK_NOWASI), or for wasm32-wasip1",
        ),
    ] = None
    verbose: Annotated[
        bool, option("-v", "--verbose", help="Say which Rust is used, and how it is called")
    ] = False
    output: OutputOption = "table"


# --------------------------------------------------------------------------- generate


def generate(env: Environment, request: GenerateRequest) -> None:
    """Make a project's directory."""
    settings = _Settings(env, request)
    project = _project(env, request, settings)
    place = Path(settings.text("destination") or ".") / project.name
    files = project_files(project)
    if settings.flag("dry_run"):
        check_vacant(env.cwd / place)
    else:
        write_project(env.cwd / place, files)
    if settings.flag("silent"):
        return
    env.print("\n".join(str(place / name) for name in files))
    if settings.flag("dry_run"):
        env.print(NOTHING_DONE)
        return
    kind = word_of(project.kind)
    env.say(f"{project.name} is {'an' if kind[0] == 'a' else 'a'} {kind}: {project.summary}")
    env.say(f"next: dataflare smartmodule build {shlex.quote(str(place))}")


class _Settings:
    """A request's options, else smdk's variables."""

    def __init__(self, env: Environment, request: GenerateRequest | BuildRequest) -> None:
        self._env, self._request = env, request

    def text(self, name: str) -> str | None:
        """Return an option's text."""
        return self._find(name)[0]

    def flag(self, name: str) -> bool | None:
        """Return what an option says."""
        given = getattr(self._request, name)
        if isinstance(given, bool):
            return given
        text, where = self._find(name)
        if text is None:
            return None
        if text.lower() not in TRUTHS:
            raise UsageError(f"{where}: {text!r} is not true or false")
        return TRUTHS[text.lower()]

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """Return one of several words, written with - or _; the first if nothing is said."""
        text, where = self._find(name)
        if text is None:
            return choices[0]
        word = text.lower().replace("_", "-")
        if word not in choices:
            raise UsageError(f"{where}: {text!r} is not one of {', '.join(choices)}")
        return word

    def _find(self, name: str) -> tuple[str | None, str]:
        """Return a text, and where it is from."""
        given = getattr(self._request, name)
        if given is not None:
            return given, f"--{name.replace('_', '-')}"
        variable = f"SMDK_{name.upper()}"
        return self._env.environ.get(variable) or None, variable


def _project(env: Environment, request: GenerateRequest, settings: _Settings) -> Project:
    kind = settings.choice("sm_type", KINDS)
    sdk = settings.choice("sdk", SDKS)
    if request.sm_crate_version is not None and sdk != "fluvio":
        raise UsageError("--sm-crate-version: only --sdk fluvio has versions")
    project = Project(
        request.name,
        SmartModuleKind(kind.replace("-", "_")),
        sdk,
        group=settings.text("project_group") or group_of(_user(env)),
        with_params=bool(settings.flag("with_params")),
        is_public=bool(settings.flag("sm_public")),
        crate_version=settings.text("sm_crate_version") or CRATE_VERSION_DEFAULT,
    )
    check_project(project)
    return project


def _user(env: Environment) -> str:
    for name in ("USER", "LOGNAME"):
        if env.environ.get(name):
            return env.environ[name]
    with suppress(KeyError):
        return pwd.getpwuid(os.getuid()).pw_name
    return ""


# --------------------------------------------------------------------------- build


def build(env: Environment, request: BuildRequest) -> None:
    """Build what is in a directory, and look at what came out."""
    words = [word for word in (request.directory, *(request.cargo_arguments or ())) if word]
    # To Typer what follows -- is an argument like any other; but no directory looks like one.
    directory = words.pop(0) if words and not words[0].startswith("-") else "."
    place = env.cwd / directory
    if place.is_file():
        home = shlex.join(["dataflare", "smartmodule", "build", str(Path(directory).parent)])
        raise UsageError(
            f"{directory} is a file; what is built is a project, by its directory",
            hint=home.removesuffix(" ."),
        )
    if not place.is_dir():
        raise NotFound("directory", directory, hint="dataflare smartmodule generate NAME makes one")
    built = _built(env, request, place, words)
    problems: list[InvalidModule] = []
    rows = [_row(env, path, problems) for path in built]
    show_list(env, rows, COLUMNS, request.output, empty="nothing was built")
    if problems:
        raise problems[0]
    test, create = _next_steps(env, directory, built)
    env.say(f"next: dataflare smartmodule {test}\nthen: dataflare smartmodule {create}")


def _built(env: Environment, request: BuildRequest, place: Path, words: list[str]) -> list[Path]:
    """Build with what a directory asks for, and return the WASM files."""
    if (place / MANIFEST).is_file():
        return _by_cargo(env, request, place, words)
    texts = sorted(place.glob("*.wat"))
    if texts:
        if words:
            raise UsageError(
                f"{words[0]}: there is no cargo to tell it, {texts[0].name} needs none"
            )
        from dataflare_cli.smartmodule.toolchain import build_wat

        return [build_wat(path) for path in texts]
    if any((above / MANIFEST).is_file() for above in place.resolve().parents):
        return _by_cargo(env, request, place, words)  # from a directory below, as cargo itself
    raise NotFound(
        "file",
        str(place / MANIFEST),
        hint="there is no .wat either; dataflare smartmodule generate NAME makes a project",
    )


def _by_cargo(env: Environment, request: BuildRequest, place: Path, words: list[str]) -> list[Path]:
    from dataflare_cli.smartmodule.toolchain import (
        WASI,
        WASM,
        CargoBuild,
        Search,
        cargo_command,
        run_cargo,
        search_path,
        shown,
    )

    is_verbose = env.verbose or request.verbose
    target = WASI if _Settings(env, request).flag("nowasi") is False else WASM
    search = Search(
        search_path(env.environ),
        env.environ,
        place,
        env.warn if is_verbose else lambda _: None,
    )
    toolchain = search.find(target)
    wanted = CargoBuild(request.release, request.package_name, env.quiet, words)
    command, variables = cargo_command(toolchain, wanted, env.environ)
    if is_verbose:
        env.warn(f"taken: {toolchain}")
        env.warn(shown(command, variables, env.environ))
    if toolchain.builds_std and not _has_std(place, target, request.release, env.environ):
        env.say("the first build compiles Rust's standard library, too: 20 s to 2 min, once here")
    with _stderr(env) as stderr:
        built = run_cargo(command, variables, cwd=place, stderr=stderr)
    if not built:
        raise DataError(
            "cargo has built no WASM",
            hint=f'{MANIFEST} has to say it: [lib] crate-type = ["cdylib"]',
        )
    return built


def _has_std(place: Path, target: str, profile: str, environ: Mapping[str, str]) -> bool:
    """Tell whether cargo seems to have left a standard library there, of a build before."""
    directories = [above / "target" for above in (place, *place.resolve().parents)]
    if environ.get("CARGO_TARGET_DIR"):
        directories = [place / environ["CARGO_TARGET_DIR"]]
    kept = Path(target) / ("debug" if profile == "dev" else profile) / "deps"
    return any(any((each / kept).glob("libstd-*.rlib")) for each in directories)


@contextmanager
def _stderr(env: Environment) -> Iterator[int]:
    """Give cargo our stderr itself: it sees then whether that is a terminal."""
    descriptor = None
    with suppress(AttributeError, OSError, ValueError):
        descriptor = env.stderr.fileno()  # type: ignore[union-attr]
    if descriptor is not None:
        try:
            yield descriptor
        except KeyboardInterrupt:
            if env.stderr_is_terminal:
                env.tell("\r\x1b[K", end="")  # the bar that cargo could not take away any more
            raise
        return
    import tempfile

    # It is no file: somebody collects what we say, and gets what cargo says, too.
    with tempfile.TemporaryFile() as said:
        try:
            yield said.fileno()
        finally:
            said.seek(0)
            env.tell(said.read().decode(errors="replace"), end="")


def _row(env: Environment, path: Path, problems: list[InvalidModule]) -> dict[str, Any]:
    from dataflare_cli.smartmodule.inspection import inspect
    from dataflare_cli.smartmodule.registry import read_module

    found = read_module(path)
    kind = None
    try:
        kind = inspect(found.name, found.wasm).kind
    except InvalidModule as exc:
        problems.append(exc)
    return {
        "path": _shown_path(env, path),
        "kind": kind,
        "size_bytes": len(found.wasm),
        "sha256": found.sha256,
    }


def _shown_path(env: Environment, path: Path) -> str:
    """Return a path as it can be typed here."""
    with suppress(ValueError):
        return str(path.relative_to(env.cwd))
    return str(path)


def _next_steps(env: Environment, directory: str, built: list[Path]) -> tuple[str, str]:
    test = shlex.join(["test"] if directory == "." else ["test", directory])
    if (env.cwd / directory / PACKAGE_FILE).is_file():
        return test, shlex.join(["create", "--package", directory])
    wasm = built[0]
    name = _crate_name(env.cwd / directory) or wasm.stem
    return test, shlex.join(["create", name, "--wasm-file", _shown_path(env, wasm)])


# Of a crate's manifest; one that is larger is not looked at.
MANIFEST_BYTES_MAX = 64 * 1024


def _crate_name(directory: Path) -> str:
    """Return a crate's name as it is written: its file has _ for every -."""
    manifest = directory / "Cargo.toml"
    try:
        table = read_toml(read_file(manifest, MANIFEST_BYTES_MAX), str(manifest))
        return str(table["package"]["name"])
    except (DataflareError, KeyError, TypeError):
        return ""


generate_command = command_of(GenerateRequest, generate)
build_command = command_of(BuildRequest, build)
