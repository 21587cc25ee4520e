"""`dataflare benchmark`: figures of this machine, beside plain tools over the same bytes."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.request import command_of, option
from dataflare_cli.commands.shared import noun
from dataflare_cli.errors import UsageError
from dataflare_cli.model import BATCH_BYTES_MAX, REQUEST_BYTES_DEFAULT
from dataflare_cli.text.terminal import cut

if TYPE_CHECKING:
    from dataflare_cli.benchmark.produce import Plan
    from dataflare_cli.benchmark.report import Report
    from dataflare_cli.benchmark.workplace import Workplace

app = noun("Measure this machine: how fast records go in and out, and how soon.")

Compression = Literal["none", "gzip", "snappy", "lz4", "zstd"]
RecordsOption = Annotated[int, option("--records", min=1, help="How many records")]
RecordSizeOption = Annotated[
    int,
    option(
        "--record-size",
        metavar="BYTES",
        min=64,
        max=REQUEST_BYTES_DEFAULT // 2,
        help="Bytes of a line, on average",
    ),
]
SamplesOption = Annotated[int, option("--samples", min=1, help="How often it is measured")]
PartitionsOption = Annotated[int, option("--partitions", min=1, help="Partitions of the topic")]
KeySeparatorOption = Annotated[
    str | None, option("--key-separator", help="Records have keys, before this in their line")
]
CompressionOption = Annotated[
    Compression, option("--compression", case_sensitive=False, help="Of the batches")
]
BatchSizeOption = Annotated[
    int,
    option(
        "--batch-size", metavar="BYTES", min=1024, max=BATCH_BYTES_MAX, help="No batch is larger"
    ),
]
DurabilityOption = Annotated[
    Literal["full", "relaxed"],
    option(
        "--durability",
        case_sensitive=False,
        help="relaxed: a power cut may lose the last commit",
    ),
]
DirectoryOption = Annotated[
    Path | None,
    option(
        "--directory",
        metavar="DIRECTORY",
        help="Work below here (else: on the data directory's file system)",
    ),
]
ReportOption = Annotated[
    Literal["text", "csv", "json"],
    option("-O", "--output", case_sensitive=False, help="How to show the figures"),
]
OneByOneOption = Annotated[
    bool, option("--one-by-one", help="Store each record in a commit of its own")
]


@dataclass(frozen=True, kw_only=True)
class ProduceRequest:
    """Measure produce: lines of a file into a topic, beside cp and fsync of the same file.

    \b
    Example:
      dataflare benchmark produce --records 10000000
      dataflare benchmark produce --pipe
      dataflare benchmark produce --key-separator : --partitions 4
      dataflare benchmark produce --compression zstd -O json
    """

    records: RecordsOption = 1_000_000
    record_size: RecordSizeOption = 100
    samples: SamplesOption = 3
    pipe: Annotated[bool, option("--pipe", help="Through a pipe: cat FILE | produce")] = False
    partitions: PartitionsOption = 1
    key_separator: KeySeparatorOption = None
    compression: CompressionOption = "none"
    one_by_one: OneByOneOption = False
    batch_size: BatchSizeOption = BATCH_BYTES_MAX
    durability: DurabilityOption = "full"
    directory: DirectoryOption = None
    output: ReportOption = "text"


@dataclass(frozen=True, kw_only=True)
class ConsumeRequest:
    """Measure consume: a topic to /dev/null, beside cat of the same lines.

    Formats can be given several times; they are measured on the same topic, in turn.

    \b
    Example:
      dataflare benchmark consume --records 10000000
      dataflare benchmark consume --as text --as records -F '{{key}} {{value}} {{offset}}'
      dataflare benchmark consume --one-by-one --records 100000
    """

    records: RecordsOption = 1_000_000
    record_size: RecordSizeOption = 100
    samples: SamplesOption = 3
    formats: Annotated[
        list[str] | None,
        option("--as", metavar="FORMAT", help="consume's -O: text, json, records, … (repeatable)"),
    ] = None
    templates: Annotated[
        list[str] | None,
        option("-F", "--format", metavar="TEMPLATE", help="consume's -F (repeatable)"),
    ] = None
    partitions: PartitionsOption = 1
    key_separator: KeySeparatorOption = None
    compression: CompressionOption = "none"
    one_by_one: OneByOneOption = False
    batch_size: BatchSizeOption = BATCH_BYTES_MAX
    durability: DurabilityOption = "full"
    directory: DirectoryOption = None
    output: ReportOption = "text"


@dataclass(frozen=True, kw_only=True)
class LatencyRequest:
    """Measure a follower: from the commit to the line on its stdout, and its CPU when idle.

    \b
    Example:
      dataflare benchmark latency --seconds 30
      dataflare benchmark latency --rate 100 --noise 0 -O csv
    """

    rate: Annotated[float, option("--rate", min=0.1, help="Records a second")] = 1000.0
    seconds: Annotated[float, option("--seconds", min=0.1, help="How long, each time")] = 5.0
    noise: Annotated[
        float, option("--noise", min=0.0, help="Commits a second to another topic (0: none)")
    ] = 400.0
    record_size: RecordSizeOption = 100
    directory: DirectoryOption = None
    output: ReportOption = "text"


@dataclass(frozen=True, kw_only=True)
class SmartModuleRequest:
    """Measure SmartModules: a topic through each to /dev/null, on one core and on all.

    \b
    Example:
      dataflare benchmark smartmodule
      dataflare benchmark smartmodule --wasm-file upper.wasm -O json
    """

    records: RecordsOption = 2_000_000
    record_size: RecordSizeOption = 100
    samples: SamplesOption = 3
    wasm_file: Annotated[
        list[Path] | None,
        option("--wasm-file", metavar="FILE", help="Also this one (repeatable)"),
    ] = None
    directory: DirectoryOption = None
    output: ReportOption = "text"


@dataclass(frozen=True, kw_only=True)
class StartupRequest:
    """Measure start-up: the commands that people wait for, beside the bare interpreter.

    \b
    Example:
      dataflare benchmark startup
      dataflare benchmark startup --samples 50 -O csv
    """

    samples: SamplesOption = 20
    directory: DirectoryOption = None
    output: ReportOption = "text"


def produce(env: Environment, request: ProduceRequest) -> None:
    """Measure what the request says, and print it."""
    from dataflare_cli.benchmark import produce as benchmark

    _refuse_contradictions(request)
    plan = _plan(request, pipe=request.pipe)
    _run(env, request.directory, request.output, lambda place: benchmark.measure(place, plan))


def consume(env: Environment, request: ConsumeRequest) -> None:
    """Measure what the request says, and print it."""
    from dataflare_cli.benchmark import consume as benchmark

    _refuse_contradictions(request)
    formats = [benchmark.Format("-O", each) for each in request.formats or ()]
    formats += [benchmark.Format("-F", each) for each in request.templates or ()]
    plan = _plan(request)
    formats = list(dict.fromkeys(formats)) or [benchmark.Format("-O", "text")]
    _run(
        env,
        request.directory,
        request.output,
        lambda place: benchmark.measure(place, plan, formats),
    )


def latency(env: Environment, request: LatencyRequest) -> None:
    """Measure what the request says, and print it."""
    from dataflare_cli.benchmark import latency as benchmark

    plan = benchmark.Plan(
        rate=request.rate,
        seconds=request.seconds,
        noise=request.noise,
        record_bytes=request.record_size,
    )
    _run(env, request.directory, request.output, lambda place: benchmark.measure(place, plan))


def smartmodule(env: Environment, request: SmartModuleRequest) -> None:
    """Measure what the request says, and print it."""
    from dataflare_cli.benchmark import smartmodule as benchmark
    from dataflare_cli.benchmark.produce import Plan

    plan = Plan(records=request.records, record_bytes=request.record_size, samples=request.samples)
    subjects = benchmark.subjects_of([env.cwd / path for path in request.wasm_file or ()])
    _run(
        env,
        request.directory,
        request.output,
        lambda place: benchmark.measure(place, plan, subjects),
    )


def startup(env: Environment, request: StartupRequest) -> None:
    """Measure what the request says, and print it."""
    from dataflare_cli.benchmark import startup as benchmark

    _run(
        env,
        request.directory,
        request.output,
        lambda place: benchmark.measure(place, request.samples),
    )


def _plan(request: ProduceRequest | ConsumeRequest, *, pipe: bool = False) -> "Plan":
    """Return what is written: produce measures that, consume needs it to read."""
    from dataflare_cli.benchmark.produce import Plan

    return Plan(
        records=request.records,
        record_bytes=request.record_size,
        samples=request.samples,
        batch_bytes=request.batch_size,
        durability=request.durability,
        partitions=request.partitions,
        compression=request.compression,
        key_separator=request.key_separator,
        pipe=pipe,
        one_by_one=request.one_by_one,
    )


def _refuse_contradictions(request: ProduceRequest | ConsumeRequest) -> None:
    others = {
        "--pipe": isinstance(request, ProduceRequest) and request.pipe,
        "--partitions": request.partitions != 1,
        "--key-separator": request.key_separator is not None,
        "--compression": request.compression != "none",
    }
    for name, given in others.items():
        if request.one_by_one and given:
            raise UsageError(f"--one-by-one, {name} can't be used together")
    if request.key_separator == "":
        raise UsageError("--key-separator must not be empty")


def _run(
    env: Environment,
    directory: Path | None,
    output: str,
    measure: "Callable[[Workplace], Report]",
) -> None:
    """Measure in a place of its own, and print the report."""
    from dataflare_cli.benchmark.workplace import workplace
    from dataflare_cli.commands.benchmark_report import show_report

    chosen = _default_directory(env) if directory is None else env.cwd / directory
    with workplace(chosen, env.environ, lambda text: _show_progress(env, text)) as place:
        report = measure(place)
    show_report(env, report, output)


def _default_directory(env: Environment) -> Path:
    """Return a directory on the data directory's file system, else the working directory."""
    path = env.settings.data_dir.parent
    while not path.exists():
        path = path.parent
    return path if os.access(path, os.W_OK | os.X_OK) else env.cwd


def _show_progress(env: Environment, text: str) -> None:
    """Replace the line that says what is going on; only a terminal has one."""
    if env.stderr_is_terminal and not env.quiet:
        env.tell(f"\r\x1b[K{cut(text, env.width - 1)}", end="")


app.command(name="produce")(command_of(ProduceRequest, produce))
app.command(name="consume")(command_of(ConsumeRequest, consume))
app.command(name="latency")(command_of(LatencyRequest, latency))
app.command(name="smartmodule")(command_of(SmartModuleRequest, smartmodule))
app.command(name="startup")(command_of(StartupRequest, startup))
