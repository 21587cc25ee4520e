"""One run of `dataflare produce URL`: an input's batches to a topic of a cluster.

What a local producer can do and this can't yet is refused by its name, not ignored.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from dataflare_cli.catalog import partition_id_of
from dataflare_cli.commands.chain_options import choose_chain, plan_steps
from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.shared import refuse_with_url
from dataflare_cli.commands.stored import quiet_catalog
from dataflare_cli.connect import connect, parse_topic_url
from dataflare_cli.stream.remote import RemoteLog, RemoteOffsets

if TYPE_CHECKING:
    from dataflare_cli.commands.produce import Request
    from dataflare_cli.stream.ingest import IngestOptions


def produce_remote(env: Environment, request: "Request", options: "IngestOptions") -> None:
    """Write the input to a topic of a cluster, and say what became of it."""
    from dataflare_cli.commands.produce import compression_of
    from dataflare_cli.commands.produce_run import Session

    refuse_with_url(
        {
            "--create": request.create,
            "--atomic": request.atomic,
            "--durability": request.durability is not None,
            "--on-error dead-letter": request.on_error.startswith("dead-letter"),
            "a look-back": any(step.lookback for step in plan_steps(env, request)),
        }
    )
    address = parse_topic_url(request.topic)
    chosen = choose_chain(env, request, lambda: quiet_catalog(env))
    connection = connect(address)
    try:
        topic = RemoteOffsets(connection).topic(address.topic)
        if request.partition is not None:
            partition_id_of(topic, request.partition)  # NotFound, with what there is
        options.compression = compression_of(request, topic)
        options.text = replace(options.text, partition_count=len(topic.partition_ids))
        log = RemoteLog(connection, topic)
        session = Session(env, request, log, topic, options, chosen=chosen)
        with session.ended_well():
            session.run()
        session.finish()
    finally:
        connection.close()
