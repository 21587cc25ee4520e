"""`dataflare transform`: a chain of SmartModules from an input to stdout, without a topic."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from dataflare_cli.catalog import Catalog
from dataflare_cli.commands.chain_options import (
    ChainOptions,
    Chosen,
    choose_chain,
    finish_policy,
    policy_of,
    read_limits,
    read_policy,
)
from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.input_options import (
    STDIN,
    InputOptions,
    bad_lines,
    opened_input,
    parse_timestamp,
    plan_text,
    refuse_input_contradictions,
    take_input,
)
from dataflare_cli.commands.output_options import (
    OutputOptions,
    find_table_format,
    formatter_of,
    settle_output,
)
from dataflare_cli.commands.request import argument, command_of
from dataflare_cli.commands.stored import quiet_catalog
from dataflare_cli.errors import PartialFailure
from dataflare_cli.stream.ingest import Ingest, IngestOptions

if TYPE_CHECKING:
    from dataflare_cli.codec.smart import Outputs
    from dataflare_cli.model import Record
    from dataflare_cli.stream.failures import FailurePolicy
    from dataflare_cli.stream.stage import Stage
    from dataflare_cli.stream.writer import Portion
    from dataflare_cli.text.formats import Formatter

_UNLIMITED = 0xFFFFFFFF


@dataclass(frozen=True, kw_only=True)
class Request(InputOptions, OutputOptions, ChainOptions):
    """Run records through SmartModules, from stdin or files to stdout; no topic is needed.

    Input is read as by produce, output written as by consume: without a SmartModule it
    converts one into the other.

    \b
    Example:
      dataflare transform --jq '{user, ms}' access.ndjson
      tail -f app.log | dataflare transform --match 'error|warn' --redact user.email
      dataflare transform --sm sample -e rate=0.01 --input csv -O records big.csv
      dataflare transform --transforms chain.yaml --on-error skip < in.ndjson > out.ndjson
    """

    file: Annotated[
        list[Path] | None, argument(metavar="[FILE]...", help="What to read; none, or -: stdin")
    ] = None


def transform(env: Environment, request: Request) -> None:
    """Read every input to its end, and write what the chain makes of it."""
    request = settle_output(env, request)
    refuse_input_contradictions(request)
    _, dead_letters = read_policy(request.on_error)
    session = _Session(env, request, dead_letters)
    with session.running():
        for path in request.file or [STDIN]:
            with opened_input(env, path) as handle:
                session.take(handle, "stdin" if path == STDIN else str(path))
    session.finish()


class _Session:
    """The chain, the ingest before it and the formatter behind it; an `ingest.Target`, too."""

    wake_fd = -1
    is_idle = True

    def __init__(self, env: Environment, request: Request, dead_letters: str | None) -> None:
        self.env, self.request = env, request
        self._dead_letters = dead_letters
        catalog = self._catalog() if request.table_format is not None else None
        table_format = None if catalog is None else find_table_format(catalog, request.table_format)
        module = None if table_format is None else table_format.smartmodule
        chosen = choose_chain(env, request, self._catalog, module=module) or self._nothing()
        self.policy = self._policy(chosen)
        self.formatter: Formatter = formatter_of(env, request, "", table_format)
        self.stage = self._stage(chosen)
        text = plan_text(request)
        stamp = request.timestamp
        self.options = IngestOptions(
            text=text, timestamp_ms=None if stamp is None else parse_timestamp(stamp)
        )
        self.ingest = Ingest(self, self.options, on_bad=bad_lines(env), stage=self.stage)

    def take(self, handle: int, name: str) -> None:
        """Read one input to its end."""
        take_input(self.ingest, self.request, self.options.text, handle, name)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Write what begins and ends the output; end the threads whatever happens."""
        try:
            self.env.write(self.formatter.header())
            yield
            self.stage.drain()
            self.env.write(self.formatter.footer())
            self._say_problems()
        finally:
            self.stage.close()

    def finish(self) -> None:
        """Say what was left out.

        Raises:
            PartialFailure: something was.
        """
        ingest, bad = self.ingest, None
        if ingest.bad_count:
            bad = PartialFailure(
                f"{ingest.bad_count} of {ingest.line_count} records could not be read",
                failed=ingest.bad_count,
                total=ingest.line_count,
            )
        finish_policy(self.env, self.policy, self.stage.record_count, bad)

    # ------------------------------------------------------------------- a target

    def check(self) -> None:
        """Have nothing to say: what goes wrong is raised at once."""

    def put(self, portion: "Portion") -> None:
        """Take nothing: everything goes through the stage."""
        raise AssertionError(portion)

    # ----------------------------------------------------------------- the inside

    def _nothing(self) -> Chosen:
        from dataflare_cli.stream.transform import ChainPlan

        return Chosen(ChainPlan((), read_limits(self.request)), None)

    def _catalog(self) -> Catalog | None:
        """Open the data directory only for what is in it: jq needs none."""
        if self._dead_letters is None:
            return quiet_catalog(self.env)
        return Catalog(self.env.open_store(create=True))

    def _policy(self, chosen: Chosen) -> "FailurePolicy":
        from dataflare_cli.stream.dedup import open_log

        if chosen.dead_letters is None:
            return policy_of(self.env, chosen, None, ())
        return policy_of(self.env, chosen, open_log(self.env.open_store(create=True)), ())

    def _stage(self, chosen: Chosen) -> "Stage[bytes | Record]":
        from dataflare_cli.stream.stage import Ends, Stage

        return Stage(
            chosen.plan,
            self.policy,
            topic="",
            partitions=1,
            needs=self.formatter.needs,
            stored=None,
            ends=Ends(self._make, self._deliver),
        )

    def _make(self, partition: int, outputs: "Outputs") -> "list[bytes | Record]":
        """Render outputs, or leave that to `_deliver` where a format looks into records."""
        program = self.formatter.program
        if program is None:
            return list(outputs.records())
        parts: list[bytes | Record] = []
        first = 0
        while first < outputs.record_count:
            data, first = outputs.render(
                program, partition=partition, first=first, count_max=_UNLIMITED
            )
            parts.append(bytes(data))
        return parts

    def _deliver(self, made: "list[bytes | Record]", _source: bytes) -> None:
        shown = [
            each if isinstance(each, bytes) else self.formatter.format(each, 0) for each in made
        ]
        self.env.write(b"".join(shown))
        self.env.write(self.formatter.refresh())
        self._say_problems()

    def _say_problems(self) -> None:
        for problem in self.formatter.take_problems():
            self.env.warn(problem)


command = command_of(Request, transform)
