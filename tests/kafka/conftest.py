"""A real Kafka for the tests: one broker and controller in a JVM, started once a worker."""

import fcntl
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

HERE = Path(__file__).parent
JARS = HERE / "target" / "dependency"
FETCHES_MAX = 3
STARTED = "Kafka Server started"
# Where it is set, a Kafka that can't be had is a failure: CI's tests are not skipped.
REQUIRED = "DATAFLARE_REQUIRE_KAFKA"

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={directory}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.check.interval.ms=1000
"""


class Broker:
    """A broker, and the directory that it comes back from."""

    def __init__(self, directory: Path) -> None:
        port, controller = free_ports(2)
        self.host = f"127.0.0.1:{port}"
        self._file = directory / "server.properties"
        text = PROPERTIES.format(port=port, controller=controller, directory=directory)
        self._file.write_text(text)
        words = ("format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", str(self._file))
        subprocess.run(java("kafka.tools.StorageTool", *words), check=True, capture_output=True)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it serves."""
        command = java("kafka.Kafka", str(self._file))
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        wait_until_started(self._process)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stderr is not None
            self._process = None

    def url(self, topic: str, options: str = "") -> str:
        """Return what dataflare calls a topic."""
        return f"kafka://{self.host}/{topic}{options and '?' + options}"

    def tool(self, name: str, *words: str) -> str:
        """Run one of Kafka's own tools, and return what it prints."""
        command = java(name, "--bootstrap-server", self.host, *words)
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout

    def create(self, topic: str, *words: str, partitions: int = 1) -> None:
        """Create a topic."""
        more = ("--create", "--topic", topic, "--partitions", str(partitions), *words)
        self.tool("org.apache.kafka.tools.TopicCommand", *more)

    def kcat(self, *words: str, stdin: bytes = b"") -> bytes:
        """Run kcat, and return what it prints."""
        command = ["kcat", "-b", self.host, *words]
        return subprocess.run(command, input=stdin, capture_output=True, check=True).stdout


def java(*words: str) -> list[str]:
    return ["java", "-Xmx512m", "-cp", f"{JARS}/*", *words]


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Start a broker that all tests share; its topics are the tests' own."""
    broker = new_broker(tmp_path_factory.mktemp("kafka"))
    try:
        yield broker
    finally:
        broker.kill()


@pytest.fixture
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Start a broker for one test, which may kill it."""
    broker = new_broker(tmp_path_factory.mktemp("mortal"))
    try:
        yield broker
    finally:
        broker.kill()


def new_broker(directory: Path) -> Broker:
    missing = [each for each in ("java", "mvn", "kcat") if shutil.which(each) is None]
    if missing and REQUIRED not in os.environ:
        pytest.skip(f"no Kafka without {', '.join(missing)}")  # never in CI
    fetch_jars()
    broker = Broker(directory)
    broker.start()
    return broker


def fetch_jars() -> None:
    """Have Kafka's jars, whichever worker is first."""
    JARS.parent.mkdir(exist_ok=True)
    with (JARS.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list(JARS.glob("kafka_*.jar")):
            words = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
            # A registry may be out of breath for a moment.
            for _ in range(FETCHES_MAX):
                done = subprocess.run(words, capture_output=True, text=True, check=False)
                if not done.returncode:
                    return
            raise AssertionError(f"Kafka's jars can't be had:\n{done.stdout[-2000:]}")


def wait_until_started(process: subprocess.Popen[bytes]) -> None:
    """Read what the broker says until it serves; then go on reading, so that it never waits."""
    stream = process.stderr
    assert stream is not None
    said = []
    for line in stream:
        said.append(line.decode(errors="replace"))
        if STARTED in said[-1]:
            threading.Thread(target=_read_on, args=(stream,), daemon=True).start()
            return
    raise AssertionError("Kafka has not started:\n" + "".join(said[-20:]))


def _read_on(stream: IO[bytes]) -> None:
    with stream:
        for _ in stream:
            continue


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens at, just now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
