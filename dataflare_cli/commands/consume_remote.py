"""One run of `dataflare consume URL`: batches of a cluster in, bytes out.

What a local consumer can do and this can't yet is refused by its name, not ignored.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from dataflare_cli.commands.chain_options import choose_chain, plan_steps
from dataflare_cli.commands.consume_run import print_records, render_run, say_evicted, seconds_of
from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.output_options import formatter_of
from dataflare_cli.commands.shared import refuse_with_url
from dataflare_cli.commands.stored import quiet_catalog
from dataflare_cli.connect import Connection, connect, parse_topic_url
from dataflare_cli.errors import UsageError
from dataflare_cli.log import Log
from dataflare_cli.model import Record, Topic
from dataflare_cli.stream.dedup import open_log
from dataflare_cli.stream.positions import Wanted, tracks_for
from dataflare_cli.stream.reader import Limits, Track
from dataflare_cli.stream.remote import RemoteOffsets, RemoteReader

if TYPE_CHECKING:
    from dataflare_cli.codec.runs import Run
    from dataflare_cli.commands.chain_options import Chosen
    from dataflare_cli.commands.consume import Request
    from dataflare_cli.commands.consume_chain import ChainPrinter
    from dataflare_cli.commands.consume_run import Filters


def consume_remote(env: Environment, request: "Request", wanted: Wanted) -> None:
    """Print records of one topic of a cluster."""
    _refuse(env, request)
    assert request.topic is not None
    address = parse_topic_url(request.topic[0])
    connection = connect(address)
    try:
        _Session(env, request, connection, address.topic, wanted).run()
    finally:
        connection.close()


def _refuse(env: Environment, request: "Request") -> None:
    if len(request.topic or ()) > 1:
        raise UsageError("one URL at a time is read")
    refuse_with_url(
        {
            "--consumer": request.consumer is not None,
            "--grep": bool(request.grep),
            "--order": request.order is not None,
            "--table-format": request.table_format is not None,
            "--regex": request.regex is not None,
            "a look-back": any(step.lookback for step in plan_steps(env, request)),
        },
        hint="pipe it: consume URL -O records | dataflare transform --input records …",
    )


class _Session:
    """The tracks, and how they are printed."""

    def __init__(
        self,
        env: Environment,
        request: "Request",
        connection: Connection,
        name: str,
        wanted: Wanted,
    ) -> None:
        self.env, self.request, self.connection = env, request, connection
        self.left = request.max_records
        self.limits = Limits(
            idle_timeout_s=seconds_of(request.idle_timeout), timeout_s=seconds_of(request.timeout)
        )
        env.deadline = self.limits.ends
        offsets = RemoteOffsets(connection)
        self.topics: Sequence[Topic] = [offsets.topic(name)]
        self.tracks = tracks_for(offsets, None, self.topics[0], wanted)
        self.output = formatter_of(env, request, name, None)
        self.formatters = {each.topic_id: self.output for each in self.topics}
        # -G was refused.
        self.filters: Filters = dict.fromkeys(self.formatters)
        self.looks_into_records = False
        chosen = choose_chain(env, request, lambda: quiet_catalog(env))
        self.chain = None if chosen is None else _chain_of(self, chosen)

    def run(self) -> None:
        """Print until the end, a limit, or for ever."""
        reader = RemoteReader(
            self.connection,
            self.tracks,
            follow=not self.request.disable_continuous,
            limits=self.limits,
            stdout=self.env.stdout_fd,
            on_evicted=partial(say_evicted, self.env),
            on_trouble=self.env.warn,
        )
        reader.on_idle = self._rest
        with ExitStack() as stack:
            if self.chain is not None:
                stack.callback(self.chain.close)
                self.chain.begin(self.tracks)
            self.env.write(self.output.header())
            if self.left != 0:
                for track, run in reader.runs():
                    self._print(track, run)
                    if self.left == 0:
                        break
            if self.chain is not None:
                self.chain.drain()
            self.env.write(self.output.footer())
            self.say_problems()
        if self.chain is not None:
            self.chain.finish()

    @property
    def keeps_together(self) -> bool:
        """Whether all that became of a record is printed: nobody goes on here."""
        return False

    def dead_letter_log(self) -> Log:
        """Return the local log: letters stay here."""
        return open_log(self.env.open_store(create=True))

    def stored(self, _track: Track) -> None:
        """Feed no look-back; who asks for one was refused."""

    def _print(self, track: Track, run: "Run") -> None:
        if self.chain is not None:
            self.chain.print_run(track, run)
            return
        program, stop = self.output.program, min(track.end, run.next_offset)
        if program is None:
            ended = self.print_records(track, run.records(track.offset, stop))
            track.advance(stop if ended is None else ended + 1)
            return
        self.left = render_run(self.env, track, run, program, self.left)

    def print_records(self, track: Track, records: Iterator[Record]) -> int | None:
        """Print records; return the offset of the last one if the limit was reached with it."""
        return print_records(self, track, records)

    def _rest(self) -> None:
        if self.chain is not None:
            self.chain.drain()
        self.env.write(self.output.refresh())
        self.say_problems()

    def say_problems(self) -> None:
        """Tell which records could not be shown."""
        for problem in self.output.take_problems():
            self.env.warn(problem)


def _chain_of(session: _Session, chosen: "Chosen") -> "ChainPrinter":
    from dataflare_cli.commands.consume_chain import ChainPrinter

    return ChainPrinter(session, chosen)
