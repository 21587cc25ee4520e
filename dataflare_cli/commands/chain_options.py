"""The options that put SmartModules between a source and a sink, and the chain they ask for.

Hides that a chain comes from four kinds of options. Their order is fixed, as the order of
options on a command line says nothing: first --match, which sees records as they are, then
--redact, so that nothing after it sees what it hides, then the SmartModules asked for by
name, path or transforms, then --jq.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.request import option
from dataflare_cli.errors import (
    AlreadyExists,
    NotFound,
    PartialFailure,
    UsageError,
)
from dataflare_cli.model import (
    GUEST_BYTES_OUT_DEFAULT,
    GUEST_MEMORY_BYTES_DEFAULT,
    GUEST_MEMORY_BYTES_MAX,
    GUEST_RECORDS_OUT_DEFAULT,
    GUEST_TIME_S_DEFAULT,
    GUEST_TIME_S_MAX,
    LOOKBACK_LAST_MAX,
    GuestLimits,
    Lookback,
    Secret,
    TopicSpec,
)
from dataflare_cli.text.files import read_file
from dataflare_cli.text.time import parse_duration
from dataflare_cli.text.units import parse_bytes

if TYPE_CHECKING:
    from dataflare_cli.catalog import Catalog
    from dataflare_cli.log import Log
    from dataflare_cli.model import Topic
    from dataflare_cli.smartmodule.chain import Step
    from dataflare_cli.smartmodule.plan import LockFile
    from dataflare_cli.smartmodule.transforms import StepSpec
    from dataflare_cli.stream.failures import FailurePolicy
    from dataflare_cli.stream.transform import ChainPlan

PARAM_BYTES_MAX = 32_767
DEAD_LETTER = "dead-letter="
REDACT = "redact"


@dataclass(frozen=True, kw_only=True)
class ModuleOptions:
    """Which SmartModules, with which parameters; what `smartmodule test` has, too."""

    params: Annotated[
        list[str] | None,
        option("-e", "--params", metavar="NAME=VALUE", help="A parameter of it (repeatable)"),
    ] = None
    param_env: Annotated[
        list[str] | None,
        option(
            "--param-env",
            metavar="NAME=VARIABLE",
            help="A parameter from an environment variable: for secrets",
        ),
    ] = None
    param_file: Annotated[
        list[str] | None,
        option(
            "--param-file",
            metavar="NAME=PATH",
            help="A parameter from a file, less a newline at its end",
        ),
    ] = None
    aggregate_initial: Annotated[
        str | None,
        option(
            "--aggregate-initial",
            "--a-init",
            metavar="TEXT",
            help="The accumulator that an aggregate begins with",
        ),
    ] = None
    transforms: Annotated[
        Path | None,
        option(
            "-t",
            "--transforms",
            "--transforms-file",
            metavar="FILE",
            help="A chain of SmartModules, in YAML",
        ),
    ] = None
    transforms_line: Annotated[
        list[str] | None,
        option(
            "--transforms-line",
            "--transform",
            metavar="JSON",
            help="""A step of a chain: '{"uses": "NAME", "with": {…}}' (repeatable)""",
        ),
    ] = None
    lookback_last: Annotated[
        int | None,
        option(
            "--lookback-last",
            "-l",
            metavar="N",
            min=0,
            max=LOOKBACK_LAST_MAX,
            help="Feed it the last N stored records",
        ),
    ] = None
    lookback_age: Annotated[
        str | None,
        option(
            "--lookback-age", metavar="DURATION", help="Feed it what was stored since so long ago"
        ),
    ] = None
    sm_memory: Annotated[
        str, option("--sm-memory", metavar="BYTES", help="The most memory of a SmartModule")
    ] = str(GUEST_MEMORY_BYTES_DEFAULT)
    sm_time: Annotated[
        str, option("--sm-time", metavar="DURATION", help="The most time that a call may take")
    ] = f"{GUEST_TIME_S_DEFAULT:g}s"
    sm_records_out: Annotated[
        int,
        option("--sm-records-out", metavar="N", min=1, help="The most records made of one record"),
    ] = GUEST_RECORDS_OUT_DEFAULT
    sm_bytes_out: Annotated[
        str, option("--sm-bytes-out", metavar="BYTES", help="The most bytes made of one record")
    ] = str(GUEST_BYTES_OUT_DEFAULT)


@dataclass(frozen=True, kw_only=True)
class ChainOptions(ModuleOptions):
    """What produce, consume and transform have in common."""

    smartmodule: Annotated[
        str | None,
        option("--smartmodule", "--sm", metavar="SMARTMODULE", help="Run records through this one"),
    ] = None
    smartmodule_path: Annotated[
        Path | None,
        option(
            "--smartmodule-path",
            "--sm_path",
            metavar="FILE",
            help="Run records through this .wasm file",
        ),
    ] = None
    match: Annotated[
        str | None,
        option("--match", metavar="REGEX", help="Only values with a match of this; comes first"),
    ] = None
    redact: Annotated[
        list[str] | None,
        option(
            "--redact",
            metavar="FIELD",
            help="Mask a JSON field, as user.email, before other SmartModules see it (repeatable)",
        ),
    ] = None
    jq: Annotated[
        str | None,
        option("--jq", metavar="EXPR", help="Make of each value what jq makes of it; comes last"),
    ] = None
    on_error: Annotated[
        str,
        option(
            "--on-error",
            metavar="stop|skip|dead-letter=TOPIC",
            help="What becomes of records that a SmartModule fails at; skip ends with code 5",
        ),
    ] = "stop"
    locked: Annotated[
        bool, option("--locked", help="Only SmartModules as they are in dataflare.lock")
    ] = False
    parallel: Annotated[
        bool,
        option("--parallel", help="Run it on all cores: it keeps nothing from record to record"),
    ] = False


class Chosen(NamedTuple):
    """What the options ask for: the chain's plan, and the topic of dead letters, if any."""

    plan: "ChainPlan"
    dead_letters: str | None


def choose_chain(
    env: Environment,
    options: ChainOptions,
    catalog: "Callable[[], Catalog | None]",
    *,
    module: str | None = None,
) -> Chosen | None:
    """Load what the options ask for; None if they ask for nothing.

    `module` is what a table format has, run unless another one or a chain is asked for.

    Raises:
        UsageError, ConfigError: options or files that make no sense.
        NotFound, InvalidModule, …: a module that is not to be had.
    """
    goes_on, dead_letters = read_policy(options.on_error)
    specs = plan_steps(env, options, module)
    if not specs:
        refuse_alone(options)
        return None
    from dataflare_cli.smartmodule.plan import load_steps
    from dataflare_cli.smartmodule.registry import Registry
    from dataflare_cli.stream.transform import ChainPlan

    steps = load_steps(
        specs, Registry(catalog), env.cwd, lock=_lock(env) if options.locked else None
    )
    if options.parallel:
        _refuse_parallel(steps)
    initial = options.aggregate_initial
    plan = ChainPlan(
        steps,
        read_limits(options),
        goes_on=goes_on,
        hides_data=any(step.module.name.rpartition("/")[2] == REDACT for step in steps),
        initial=b"" if initial is None else initial.encode("utf-8", "surrogateescape"),
        parallel=options.parallel,
        log=lambda module, text: env.say(f"{module}: {text}"),
    )
    return Chosen(plan, dead_letters)


def plan_steps(
    env: Environment, options: ChainOptions, module: str | None = None
) -> "list[StepSpec]":
    """Return the steps that the options ask for, in their order: what is redacted comes early."""
    from dataflare_cli.smartmodule.transforms import Origin, StepSpec

    steps = []
    if options.match is not None:
        steps.append(StepSpec("regex-filter", {"regex": options.match}, None, Origin.BUILT_IN))
    if options.redact:
        fields = ",".join(options.redact)
        steps.append(StepSpec(REDACT, {"fields": fields}, None, Origin.BUILT_IN))
    _refuse_contradictions(options)
    if options.smartmodule is not None or options.smartmodule_path is not None:
        steps.append(_single(env, options))
    else:
        asked = chain_steps(env, options)
        steps += asked if asked or module is None else [StepSpec(module, {})]
    if options.jq is not None:
        steps.append(StepSpec("jq", {"filter": options.jq}, None, Origin.BUILT_IN))
    return steps


def chain_steps(env: Environment, options: ModuleOptions) -> "list[StepSpec]":
    """Return the steps of --transforms or --transforms-line."""
    from dataflare_cli.smartmodule.transforms import parse_transform_line

    if options.transforms is not None:
        return read_transforms(env, options.transforms)
    return [parse_transform_line(line) for line in options.transforms_line or ()]


def read_transforms(env: Environment, path: Path) -> "list[StepSpec]":
    """Return the steps in a transforms file.

    Raises:
        NotFound, Unreachable, ConfigError: not there, not to be read, or malformed.
    """
    from dataflare_cli.smartmodule.transforms import FILE_BYTES_MAX, parse_transforms

    return parse_transforms(read_file(env.cwd / path, FILE_BYTES_MAX), str(path))


def _refuse_parallel(steps: "Sequence[Step]") -> None:
    for step in steps:
        module = step.module
        if module.is_aggregate or module.has_look_back:
            raise UsageError(
                f"--parallel: the SmartModule {module.name} keeps something from record to record",
                hint="leave --parallel out",
            )


def _single(env: Environment, options: ChainOptions) -> "StepSpec":
    from dataflare_cli.smartmodule.transforms import Origin, StepSpec

    params, lookback = read_params(env, options), read_lookback(options)
    if options.smartmodule_path is not None:
        return StepSpec(str(options.smartmodule_path), params, lookback, Origin.FILE)
    assert options.smartmodule is not None
    return StepSpec(options.smartmodule, params, lookback)


def _refuse_contradictions(options: ChainOptions) -> None:
    sources = {
        "--smartmodule": options.smartmodule is not None,
        "--smartmodule-path": options.smartmodule_path is not None,
        "--transforms": options.transforms is not None,
        "--transforms-line": bool(options.transforms_line),
    }
    given = [name for name, is_given in sources.items() if is_given]
    if len(given) > 1:
        raise UsageError(f"{', '.join(given)} can't be used together")
    if options.smartmodule is None and options.smartmodule_path is None:
        for name, is_given in single_module_options(options).items():
            if is_given:
                raise UsageError(
                    f"{name} needs --smartmodule or --smartmodule-path",
                    hint="a chain has its parameters in the file, or in the line's JSON",
                )


def single_module_options(options: ModuleOptions) -> dict[str, bool]:
    """Tell which options were given that say something of one module, not of a chain."""
    return {
        "--params": bool(options.params),
        "--param-env": bool(options.param_env),
        "--param-file": bool(options.param_file),
        "--lookback-last": options.lookback_last is not None,
        "--lookback-age": options.lookback_age is not None,
    }


def refuse_alone(options: ChainOptions) -> None:
    """Refuse what makes no sense without a SmartModule.

    Raises:
        UsageError: it was given.
    """
    alone = {
        "--aggregate-initial": options.aggregate_initial is not None,
        "--locked": options.locked,
        "--parallel": options.parallel,
        "--on-error": options.on_error != "stop",
    }
    for name, is_given in alone.items():
        if is_given:
            raise UsageError(
                f"{name} needs a SmartModule",
                hint="--smartmodule NAME, --transforms FILE, --match, --redact or --jq",
            )


def read_policy(text: str) -> tuple[bool, str | None]:
    """Read --on-error: whether failures are passed over, and the topic they go to.

    Raises:
        UsageError: neither stop, skip nor dead-letter=TOPIC.
    """
    if text.startswith(DEAD_LETTER) and text != DEAD_LETTER:
        return True, text.removeprefix(DEAD_LETTER)
    if text not in ("stop", "skip"):
        raise UsageError(f"--on-error: {text!r} is not stop, skip or dead-letter=TOPIC")
    return text == "skip", None


def read_params(env: Environment, options: ModuleOptions) -> dict[str, str]:
    """Return the parameters, wherever their values come from; those not in argv are secrets.

    Raises:
        UsageError: not NAME=VALUE, a name given twice, a variable that is not set.
    """
    params: dict[str, str] = {}
    sources = (
        ("--params", options.params, lambda value: value),
        ("--param-env", options.param_env, lambda name: Secret(_variable(env, name))),
        ("--param-file", options.param_file, lambda path: Secret(_file(env.cwd / path))),
    )
    for flag, texts, read in sources:
        for text in texts or ():
            name, equals, value = text.partition("=")
            if not equals or not name:
                raise UsageError(f"{flag}: not NAME=VALUE", hint=f"{flag} regex='a+'")
            if name in params:
                raise UsageError(f"{flag}: the parameter {name!r} is given twice")
            params[name] = read(value)
    return params


def read_lookback(options: ModuleOptions) -> Lookback | None:
    """Return the look-back that was asked for."""
    if options.lookback_last is None and options.lookback_age is None:
        return None
    age_ms = None
    if options.lookback_age is not None:
        age_ms = int(parse_duration(options.lookback_age) * 1000)
    return Lookback(options.lookback_last or 0, age_ms)


def read_limits(options: ModuleOptions) -> GuestLimits:
    """Return the limits of a call.

    Raises:
        UsageError: one that can't be read, or can't be had.
    """
    memory = parse_bytes(options.sm_memory)
    if not 0 < memory <= GUEST_MEMORY_BYTES_MAX:
        raise UsageError(
            f"--sm-memory: {memory} bytes is out of its limits (1 to {GUEST_MEMORY_BYTES_MAX})"
        )
    time_s = parse_duration(options.sm_time)
    if not 0 < time_s <= GUEST_TIME_S_MAX:
        raise UsageError(f"--sm-time: {options.sm_time} is out of its limits (up to 1h)")
    return GuestLimits(
        memory_bytes=memory,
        time_s=time_s,
        records_out=options.sm_records_out,
        bytes_out=parse_bytes(options.sm_bytes_out),
    )


def _variable(env: Environment, name: str) -> str:
    if name not in env.environ:
        raise UsageError(f"--param-env: the environment variable {name} is not set")
    return env.environ[name]


def _file(path: Path) -> str:
    return read_file(path, PARAM_BYTES_MAX).decode("utf-8", "surrogateescape").removesuffix("\n")


def _lock(env: Environment) -> "LockFile":
    from dataflare_cli.smartmodule.lock import find_lock, read_lock
    from dataflare_cli.smartmodule.plan import LockFile

    path = find_lock(env.cwd)
    return LockFile(path, read_lock(path))


def policy_of(
    env: Environment, chosen: Chosen, log: "Log | None", sources: Collection[str]
) -> "FailurePolicy":
    """Return what becomes of failures; the topic of dead letters is made if it is missing.

    `log` is where that topic is, if there are dead letters.
    """
    from dataflare_cli.catalog import Catalog
    from dataflare_cli.stream.failures import DeadLetters, FailurePolicy

    letters = None
    if chosen.dead_letters is not None:
        assert log is not None
        topic = _dead_letter_topic(Catalog(log.store), chosen.dead_letters, sources)
        letters = DeadLetters(log, topic)
        if chosen.plan.hides_data:
            env.say(f"dead letters are stored as they came, not redacted: in {topic.name}")
    return FailurePolicy(goes_on=chosen.plan.goes_on, dead_letters=letters, tell=env.warn)


def _dead_letter_topic(catalog: "Catalog", name: str, sources: Collection[str]) -> "Topic":
    """Return the topic of dead letters; when the first one is there it is too late to miss it.

    Raises:
        UsageError: records come from it, which would never end; or it would leave some out.
        DataError: its name can't be one.
    """
    if name in sources:
        raise UsageError(
            f"--on-error: dead letters can't go to {name}, where the records belong",
            hint=f"--on-error dead-letter={name}-failed",
        )
    with suppress(NotFound):
        topic = catalog.topic(name)
        if topic.spec.deduplication is not None:
            raise UsageError(
                f"--on-error: the topic {name} leaves out duplicates: dead letters may be some",
                hint=f"another one, or: dataflare topic alter {name} --no-dedup",
            )
        return topic
    with suppress(AlreadyExists):  # another process was first
        return catalog.create_topic(name, TopicSpec())
    return catalog.topic(name)


def finish_policy(
    env: Environment,
    policy: "FailurePolicy | None",
    record_count: int,
    bad: PartialFailure | None = None,
) -> None:
    """Say how many of the records a SmartModule failed at, when all is done; then, what was `bad`.

    Raises:
        PartialFailure: some were left out.
    """
    if policy is None or not policy.count:
        if bad is not None:
            raise bad
        return
    were = "1 record was" if policy.count == 1 else f"{policy.count} records were"
    if policy.dead_letters is not None:
        env.say(f"{were} sent to the topic {policy.dead_letters.topic.name}")
        if bad is not None:
            raise bad
        return
    if bad is not None:
        env.say(f"{were} skipped, too: a SmartModule failed at them")
        raise bad
    raise PartialFailure(
        f"{were} skipped, of {record_count}: a SmartModule failed at them",
        failed=policy.count,
        total=record_count,
        hint="--on-error dead-letter=TOPIC keeps such records",
    )
