"""What `smartmodule test` shows of its tests: text, JSON, and JUnit's XML for build servers."""

import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.render import clean, dump
from dataflare_cli.errors import Unreachable
from dataflare_cli.text.terminal import cut

if TYPE_CHECKING:
    from xml.etree import ElementTree as ET

    from dataflare_cli.smartmodule.fixtures.compare import Problem
    from dataflare_cli.smartmodule.fixtures.runner import Verdict

GREEN, RED, YELLOW, FAINT = "32", "31", "33", "2"
# Of records that are as expected, so many stand around one that is not.
CONTEXT_LINES = 2
# Of one difference.
LINES_MAX = 100
# Of a record, in a pipe; a terminal has its own width.
LINE_CHARS_MAX = 400
_MARGIN = 8
_COLOURS = {"-": RED, "+": GREEN}
# What XML 1.0 can't have and `clean` leaves as it is.
_NO_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")


class TextReport:
    """A line a test, as they come; a file's name stands above its tests."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._file = ""

    def add(self, verdict: "Verdict") -> None:
        """Print how a test went."""
        env = self._env
        if verdict.fixture != self._file:
            self._file = verdict.fixture
            env.print(clean(verdict.fixture))
        name = clean(verdict.case.name)
        if verdict.passed:
            mark = self._painted("✓", GREEN)
            note = self._painted(" (updated)", YELLOW) if verdict.is_updated else ""
            env.print(f"  {mark} {name}{note}")
            return
        line = self._painted(f" (line {verdict.case.line})", FAINT)
        env.print(f"  {self._painted('✗', RED)} {name}{line}")
        for text in explained(verdict, self._width):
            mark = text[_MARGIN - 2 : _MARGIN - 1]
            env.print(self._painted(text, _COLOURS[mark]) if mark in _COLOURS else text)

    @property
    def _width(self) -> int:
        return self._env.width if self._env.stdout_is_terminal else LINE_CHARS_MAX

    def _painted(self, text: str, code: str) -> str:
        # It paints where stderr may be coloured; this is for stdout.
        return self._env.paint(text, code) if self._env.colour else text


def explained(verdict: "Verdict", width: int) -> list[str]:
    """Return what is wrong with a test, as indented lines of at most `width` columns."""
    lines = []
    for problem in verdict.problems:
        text = problem.text.replace("\n", "\n" + " " * _MARGIN)
        lines.append(clean(f"    {problem.what}: {text}", keep="\n"))
        lines += [cut(text, width) for text in _some(list(_difference(problem)))]
    if verdict.outcome is not None:
        lines += [clean(f"    printed: {text}") for text in _some(verdict.outcome.printed)]
    return [part for line in lines for part in line.split("\n")]


def _difference(problem: "Problem") -> Iterator[str]:
    """Yield the lines of a difference, without most of what is as expected."""
    near = {
        place + step
        for place, line in enumerate(problem.lines)
        if line.mark != " "
        for step in range(-CONTEXT_LINES, CONTEXT_LINES + 1)
    }
    skipped = 0
    for place, line in enumerate(problem.lines):
        if place not in near:
            skipped += 1
            continue
        if skipped:
            yield _left_out(skipped)
        skipped = 0
        yield f"{' ' * (_MARGIN - 2)}{line.mark} {clean(line.text)}"
        if line.note:
            # Not behind it: there it would be cut off first.
            yield f"{' ' * _MARGIN}↑ {clean(line.note)}"
    if skipped:
        yield _left_out(skipped)


def _some(lines: Sequence[str]) -> list[str]:
    """Return lines, as many as somebody may want to read."""
    if len(lines) <= LINES_MAX:
        return list(lines)
    return [*lines[:LINES_MAX], f"{' ' * _MARGIN}… {len(lines) - LINES_MAX} more lines"]


def _left_out(count: int) -> str:
    return f"{' ' * _MARGIN}… {count} more as expected"


def summary(verdicts: Sequence["Verdict"], took_s: float, not_run: int) -> str:
    """Return the last line: `12 passed, 1 failed in 0.31 s`."""
    failed = sum(not each.passed for each in verdicts)
    parts = [f"{len(verdicts) - failed} passed"]
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{not_run} not run"] if not_run else []
    return f"{', '.join(parts)} in {took_s:.2f} s"


def to_json(verdicts: Sequence["Verdict"], took_s: float, not_run: int) -> bytes:
    """Return totals and every test as one JSON object."""
    failed = sum(not each.passed for each in verdicts)
    return dump(
        {
            "total": len(verdicts) + not_run,
            "passed": len(verdicts) - failed,
            "failed": failed,
            "not_run": not_run,
            "time_s": round(took_s, 6),
            "tests": [_row(each) for each in verdicts],
        },
        "json",
    )


def _row(verdict: "Verdict") -> dict[str, Any]:
    outcome = verdict.outcome
    return {
        "file": verdict.fixture,
        "line": verdict.case.line,
        "name": verdict.case.name,
        "passed": verdict.passed,
        "updated": verdict.is_updated,
        "time_s": round(verdict.took_s, 6),
        "module_time_ms": None if outcome is None else round(outcome.time_ms, 3),
        "fuel": None if outcome is None or verdict.case.fuel_max is None else outcome.fuel,
        "problems": [
            {
                "what": problem.what,
                "text": problem.text,
                "difference": [line._asdict() for line in problem.lines],
            }
            for problem in verdict.problems
        ],
        "printed": [] if outcome is None else outcome.printed,
    }


# ------------------------------------------------------------------------ JUnit


def write_junit(path: Path, verdicts: Sequence["Verdict"], took_s: float) -> None:
    """Write a JUnit report: a suite a file, a case a test.

    Raises:
        Unreachable: it can't be written.
    """
    from xml.etree import ElementTree as ET

    root = ET.Element("testsuites", {"name": "dataflare smartmodule test"})
    _count(root, verdicts, took_s)
    files: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        files.setdefault(verdict.fixture, []).append(verdict)
    for name, own in files.items():
        suite = ET.SubElement(root, "testsuite", {"name": _xml(name)})
        _count(suite, own, sum(each.took_s for each in own))
        suite.set("timestamp", time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()))
        for verdict in own:
            _add_case(suite, verdict)
    ET.indent(root)
    data = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    try:
        path.write_bytes(data + b"\n")
    except OSError as exc:
        raise Unreachable(str(path), exc.strerror or str(exc)) from exc


def _count(element: "ET.Element", verdicts: Sequence["Verdict"], took_s: float) -> None:
    """Set the totals that readers of such reports want of a suite."""
    element.set("tests", str(len(verdicts)))
    element.set("failures", str(sum(not each.passed for each in verdicts)))
    element.set("errors", "0")
    element.set("skipped", "0")
    element.set("time", f"{took_s:.6f}")


def _add_case(suite: "ET.Element", verdict: "Verdict") -> None:
    from xml.etree import ElementTree as ET

    case = ET.SubElement(
        suite,
        "testcase",
        {
            "classname": _xml(verdict.fixture),
            "name": _xml(verdict.case.name),
            "file": _xml(verdict.fixture),
            "line": str(verdict.case.line),
            "time": f"{verdict.took_s:.6f}",
        },
    )
    if not verdict.passed:
        first = verdict.problems[0]
        fields = {"message": _xml(f"{first.what}: {first.text}"), "type": first.what}
        failure = ET.SubElement(case, "failure", fields)
        failure.text = _xml("\n".join(explained(verdict, LINE_CHARS_MAX)))
    if verdict.outcome is not None and verdict.outcome.printed:
        printed = ET.SubElement(case, "system-out")
        printed.text = _xml("\n".join(verdict.outcome.printed))


def _xml(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", clean(text, keep="\n"))
