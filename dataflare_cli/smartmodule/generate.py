"""Projects of SmartModules: what `smartmodule generate` puts into a directory.

Hides the templates and where our SDK's sources come from. A template is a text in which
`{{word}}` stands for one of a few words; there are no conditions, a case is a file:

    Cargo.toml, SmartModule.toml, README.md, gitignore
    SDK/KIND[-params].rs, wat/KIND.wat      the module
    fixtures/KIND[-params|-wat].yaml        what it is to do, the same with every SDK
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dataflare_cli.catalog import check_name
from dataflare_cli.errors import AlreadyExists, UsageError
from dataflare_cli.model import SmartModuleKind

SDKS = ("fluvio", "dataflare", "wat")
SDK_CRATE = "dataflare-smartmodule"
CRATE_VERSION_DEFAULT = "0.50.1"
GROUP_DEFAULT = "my-group"
CRATE_NAME_CHARS_MAX = 64  # crates.io's

_TEMPLATES = Path(__file__).with_name("templates")
# Our SDK: in a wheel beside this file, in a checkout where it is written.
_SHIPPED = Path(__file__).with_name("sdk")
_CHECKOUT = Path(__file__).parents[2] / "smartmodules"

_WORD = re.compile(r"\{\{(\w+)\}\}")
_CRATE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_CRATE_VERSION = re.compile(r"[0-9A-Za-z.+*^~=<>, -]+")
# The language's words, and crates that a module is made of.
_TAKEN = """
    as async await become box break const continue crate do dyn else enum extern false final fn
    for gen if impl in let loop macro match mod move mut override priv pub ref return self Self
    static struct super trait true try type typeof unsafe unsized use virtual where while yield
    abstract alloc core proc_macro std test dataflare_smartmodule fluvio_smartmodule serde_json
"""


class _Param(NamedTuple):
    name: str
    description: str
    optional: bool
    example: str


class _Kind(NamedTuple):
    """What the templates of a kind do, without and with their parameter."""

    summary: str
    summary_with: str
    param: _Param


_KINDS = {
    SmartModuleKind.FILTER: _Kind(
        "Keeps records whose value contains an a",
        "Keeps records whose value contains a text",
        _Param("key", "what a value has to contain", optional=False, example="err"),
    ),
    SmartModuleKind.MAP: _Kind(
        "Doubles integers",
        "Multiplies integers",
        _Param("factor", "what integers are multiplied by", optional=True, example="10"),
    ),
    SmartModuleKind.FILTER_MAP: _Kind(
        "Halves even integers and drops odd ones",
        "Divides multiples of a number and drops other integers",
        _Param("divisor", "what integers are divided by", optional=True, example="10"),
    ),
    SmartModuleKind.ARRAY_MAP: _Kind(
        "Makes each element of a JSON array a record",
        "Makes each element of a JSON array a record",
        _Param("field", "the field that has the array", optional=True, example="items"),
    ),
    SmartModuleKind.AGGREGATE: _Kind(
        "Sums integers",
        "Sums integers, beginning with a number",
        _Param("initial", "what the sum begins with", optional=True, example="100"),
    ),
}
_WAT_MAP_SUMMARY = "Makes the ASCII letters of values upper case"


class Project(NamedTuple):
    """What a project is to be; see `check_project`."""

    name: str
    kind: SmartModuleKind
    sdk: str
    group: str = GROUP_DEFAULT
    with_params: bool = False
    is_public: bool = False
    crate_version: str = CRATE_VERSION_DEFAULT

    @property
    def summary(self) -> str:
        """What it does, in a few words."""
        if self.sdk == "wat" and self.kind is SmartModuleKind.MAP:
            return _WAT_MAP_SUMMARY
        kind = _KINDS[self.kind]
        return kind.summary_with if self.with_params else kind.summary


def word_of(kind: SmartModuleKind) -> str:
    """Return how smdk writes a kind."""
    return kind.value.replace("_", "-")


def check_project(project: Project) -> None:
    """Refuse what no project can be.

    Raises:
        UsageError, DataError: its name, its group, or what there is no template for.
    """
    from dataflare_cli.smartmodule.builtin import GROUP

    check_crate_name(project.name)
    check_name(project.group, noun="group")
    if project.group == GROUP:
        raise UsageError(
            f"the group {GROUP} is that of the built-in SmartModules",
            hint=f"--project-group {GROUP_DEFAULT}",
        )
    if not _CRATE_VERSION.fullmatch(project.crate_version):
        raise UsageError(
            f"--sm-crate-version: {project.crate_version!r} is not a version",
            hint=f"--sm-crate-version {CRATE_VERSION_DEFAULT}",
        )
    if project.sdk != "wat":
        return
    if project.kind not in (SmartModuleKind.FILTER, SmartModuleKind.MAP):
        raise UsageError(
            f"--sdk wat: there is a filter and a map, but no {word_of(project.kind)}",
            hint="--sdk fluvio and --sdk dataflare have all kinds",
        )
    if project.with_params:
        raise UsageError(
            "--sdk wat: there are no templates with parameters",
            hint="--sdk fluvio and --sdk dataflare have them",
        )


def check_crate_name(name: str) -> None:
    """Refuse what cargo would not take as the name of a crate, or Fluvio as a SmartModule's.

    Raises:
        UsageError: it can't be one.
    """
    if not _CRATE_NAME.fullmatch(name):
        problem = "letters, digits, '-' and '_' can be in it, and a digit or '-' not be its first"
    elif len(name) > CRATE_NAME_CHARS_MAX:
        problem = f"it has more than {CRATE_NAME_CHARS_MAX} characters"
    elif _is_taken(name):
        problem = "Rust or an SDK has it already"
    else:
        return
    close = re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[:CRATE_NAME_CHARS_MAX]
    if not _CRATE_NAME.fullmatch(close) or _is_taken(close):
        close = f"my-{close}" if close else "my-filter"
    raise UsageError(f"{name!r} can't be the name of a crate: {problem}", hint=f"as {close} could")


def _is_taken(name: str) -> bool:
    return name.replace("-", "_") in _TAKEN.split()


def group_of(user: str) -> str:
    """Return the group that a user's projects belong to, if nothing else is said."""
    from dataflare_cli.smartmodule.builtin import GROUP

    group = re.sub(r"[^a-z0-9_-]+", "-", user.lower()).strip("-")
    return GROUP_DEFAULT if group in ("", GROUP) else group[:CRATE_NAME_CHARS_MAX]


def project_files(project: Project) -> dict[str, str]:
    """Return a project's files: their texts by their names, sorted.

    Raises:
        FileNotFoundError: our SDK's sources are not where they belong.
    """
    words = _words(project)
    base = f"{project.kind}-params" if project.with_params else project.kind.value
    files = {".gitignore": "gitignore", "README.md": "README.md"}
    fixture = f"{project.name}.smtest.yaml"
    if project.sdk == "wat":
        is_map = project.kind is SmartModuleKind.MAP
        files[fixture] = f"fixtures/{'map-wat' if is_map else base}.yaml"
        files[f"{project.name}.wat"] = f"wat/{base}.wat"
    else:
        files[fixture] = f"fixtures/{base}.yaml"
        files["Cargo.toml"] = "Cargo.toml"
        files["SmartModule.toml"] = "SmartModule.toml"
        files["src/lib.rs"] = f"{project.sdk}/{base}.rs"
    texts = {name: _fill(template, words) for name, template in files.items()}
    if project.sdk == "dataflare":
        texts |= {f"{SDK_CRATE}/{name}": text for name, text in sdk_files().items()}
    return dict(sorted(texts.items()))


def write_project(directory: Path, files: Mapping[str, str]) -> None:
    """Write a project's files, into a directory that is empty or not there.

    Raises:
        AlreadyExists: it is there, and not empty.
    """
    check_vacant(directory)
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def check_vacant(directory: Path) -> None:
    """Refuse a place that has something in it.

    Raises:
        AlreadyExists: it does.
    """
    if directory.is_dir() and not any(directory.iterdir()):
        return
    if directory.exists() or directory.is_symlink():
        kind = "directory" if directory.is_dir() else "file"
        raise AlreadyExists(kind, str(directory), hint="choose another NAME or --destination")


# --------------------------------------------------------------------------- templates


def _fill(template: str, words: Mapping[str, str]) -> str:
    text = (_TEMPLATES / f"{template}.tmpl").read_text("utf-8")
    return _WORD.sub(lambda found: words[found[1]], text).rstrip() + "\n"


def _words(project: Project) -> dict[str, str]:
    name, sdk = project.name, project.sdk
    param = _KINDS[project.kind].param
    is_wat = sdk == "wat"
    wasm = f"{name}.wasm" if is_wat else f"{name.replace('-', '_')}.wasm"
    built = f"target/{wasm}" if is_wat else f"target/wasm32-unknown-unknown/release/{wasm}"
    where = {
        "fluvio": "In Rust, with Fluvio's SDK: src/lib.rs.",
        "dataflare": f"In Rust, with dataflare's SDK ({SDK_CRATE}/): src/lib.rs.",
        "wat": f"In WebAssembly text: {name}.wat.",
    }
    return {
        "name": name,
        "group": project.group,
        "summary": project.summary,
        "visibility": "public" if project.is_public else "private",
        "edition": "2021" if sdk == "fluvio" else "2024",  # what the macro of Fluvio's writes
        "dependencies": _dependencies(project),
        "param": param.description,
        "params": _param_table(param) if project.with_params else "",
        "module": f"module: {built}" if is_wat else "package: .",
        "where": where[sdk],
        "built": f"makes {built}",
        "create": f"{name} --wasm-file {built}" if is_wat else "--package .",
        "example": f" -e {param.name}={param.example}" if project.with_params else "",
    }


def _dependencies(project: Project) -> str:
    lines = [f'fluvio-smartmodule = "{project.crate_version}"']
    json = 'serde_json = "1"'
    if project.sdk == "dataflare":
        lines = [f'{SDK_CRATE} = {{ path = "{SDK_CRATE}" }}']
        json = 'serde_json = { version = "1", features = ["raw_value"] }'
    if project.kind is SmartModuleKind.ARRAY_MAP:
        lines.append(json)
    return "\n".join(lines)


def _param_table(param: _Param) -> str:
    optional = "\noptional = true" if param.optional else ""
    return f'\n[[params]]\nname = "{param.name}"\ndescription = "{param.description}"{optional}'


# --------------------------------------------------------------------------- our SDK


def sdk_files() -> dict[str, str]:
    """Return the sources of our SDK, as a package that needs no workspace around it.

    Raises:
        FileNotFoundError: they are not where they belong.
    """
    import tomllib

    import tomli_w

    crate, workspace = _SHIPPED, _SHIPPED / "workspace.toml"
    if not crate.is_dir():
        crate, workspace = _CHECKOUT / "sdk", _CHECKOUT / "Cargo.toml"
    sources = sorted((crate / "src").rglob("*.rs"))
    manifest = _standalone(
        tomllib.loads((crate / "Cargo.toml").read_text("utf-8")),
        tomllib.loads(workspace.read_text("utf-8"))["workspace"],
    )
    return {
        "Cargo.toml": tomli_w.dumps(manifest),
        **{path.relative_to(crate).as_posix(): path.read_text("utf-8") for path in sources},
    }


def _standalone(manifest: dict[str, Any], workspace: Mapping[str, Any]) -> dict[str, Any]:
    """Put in what a manifest takes over from its workspace: settings, and versions of crates."""
    inherited = {
        "package": workspace.get("package", {}),
        "dependencies": workspace.get("dependencies", {}),
    }
    done: dict[str, Any] = {}
    for table, source in inherited.items():
        for key, value in manifest.get(table, {}).items():
            if not isinstance(value, dict) or not value.get("workspace"):
                resolved = value
            elif table == "package":
                resolved = source[key]
            else:
                base = source[key] if isinstance(source[key], dict) else {"version": source[key]}
                resolved = {**base, **{k: v for k, v in value.items() if k != "workspace"}}
            done.setdefault(table, {})[key] = resolved
    # Tests, benches and lints are the checkout's business.
    dropped = ("dev-dependencies", "lints", "bench", "test", *inherited)
    return {**done, **{key: value for key, value in manifest.items() if key not in dropped}}
