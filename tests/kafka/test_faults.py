"""A Kafka that dies and comes back: nothing is lost, and nothing is there twice."""

import signal
import time

from tests.harness import run, start_process

WAIT_S = 120


def test_a_producer_outlives_its_broker(mortal):
    """What was under way when it died is there once, in its order, when it is back."""
    mortal.create("t")
    first = b"".join(b"%d\n" % number for number in range(50_000))
    second = b"".join(b"%d\n" % number for number in range(50_000, 400_000))
    with start_process("produce", mortal.url("t"), "--tee") as producer:
        producer.stdin.write(first)
        producer.stdin.flush()
        assert b"0\n" == producer.stdout.readline()
        mortal.kill()
        producer.stdin.write(second[: 1 << 16])
        producer.stdin.flush()
        mortal.start()
        stdout, stderr = producer.communicate(second[1 << 16 :], timeout=WAIT_S)
    back = run("consume", mortal.url("t"), "-B", "-d")

    assert (0, b"") == (producer.returncode, stderr)
    assert first + second == back.stdout
    assert stdout.endswith(b"399999\n")


def test_a_consumer_outlives_its_broker(mortal):
    """It goes on where it was."""
    mortal.create("t")
    mortal.kcat("-P", "-t", "t", "-X", "acks=all", stdin=b"a\nb\n")
    with start_process("consume", mortal.url("t"), "-B") as follower:
        assert (b"a\n", b"b\n") == (follower.stdout.readline(), follower.stdout.readline())
        mortal.kill()
        mortal.start()
        mortal.kcat("-P", "-t", "t", stdin=b"c\n")
        assert b"c\n" == follower.stdout.readline()
        follower.terminate()
        stdout, stderr = follower.communicate(timeout=WAIT_S)

    assert (143, b"") == (follower.returncode, stdout)
    assert stderr.count(b"a broker does not answer; trying again\n") <= 2


def test_a_broker_that_does_not_come_back(mortal):
    """In the time that is given for it, with the code for what can't be reached."""
    mortal.create("t")
    url = mortal.url("t", "delivery_timeout_ms=1000")
    with start_process("produce", url, "--tee") as producer:
        producer.stdin.write(b"a\n")
        producer.stdin.flush()
        assert b"a\n" == producer.stdout.readline()
        mortal.kill()
        stdout, stderr = producer.communicate(b"b\n", timeout=WAIT_S)

    assert (3, b"") == (producer.returncode, stdout)
    assert b"1 record is stored (partition 0: 0 to 0)" in stderr
    assert b"could not be written in time" in stderr


def test_a_signal_ends_those_who_wait_for_a_broker(mortal):
    """At once, however long they would wait; what was acknowledged is told."""
    mortal.create("t")
    words = ("produce", mortal.url("t"), "--tee")
    with (
        start_process("consume", mortal.url("t"), "-B") as follower,
        start_process(*words) as producer,
    ):
        producer.stdin.write(b"a\n")
        producer.stdin.flush()
        assert b"a\n" == producer.stdout.readline() == follower.stdout.readline()
        mortal.kill()
        producer.stdin.write(b"b\n")
        producer.stdin.flush()
        assert b"a broker does not answer; trying again\n" in follower.stderr.readline()
        began = time.monotonic()
        for process in (follower, producer):
            process.send_signal(signal.SIGINT)
        follower.communicate(timeout=WAIT_S)
        _, stderr = producer.communicate(timeout=WAIT_S)
        took_s = time.monotonic() - began

    assert (130, 130) == (follower.returncode, producer.returncode)
    assert b"interrupted: 1 record is stored (partition 0: 0 to 0)\n" in stderr
    assert took_s < 30
