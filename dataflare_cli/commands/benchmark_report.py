"""How a benchmark's report is shown: text for people, CSV with everything in each row, JSON."""

import csv
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dataflare_cli.commands.render import Column, clean, dump, table_lines
from dataflare_cli.text.units import format_bytes

if TYPE_CHECKING:
    from dataflare_cli.benchmark.report import Report
    from dataflare_cli.commands.context import Environment

COLUMNS: tuple[Column, ...] = (
    ("FIGURE", "name"),
    ("UNIT", "unit"),
    ("BEST", lambda row: number(row["best"])),
    ("P50", lambda row: number(row["p50"])),
    ("P95", lambda row: number(row["p95"])),
    ("P99", lambda row: number(row["p99"])),
    ("MAX", lambda row: number(row["max"])),
    ("N", "samples"),
)
# Left out where no figure has them.
RATES: tuple[Column, ...] = (
    ("BEST RECORDS/S", lambda row: number(row["records_per_s_best"])),
    ("RECORDS/S", lambda row: number(row["records_per_s"])),
    ("BYTES/S", lambda row: size(row["bytes_per_s"])),
)
COMPARED: tuple[Column, ...] = (
    ("RATIO", lambda row: "" if row["ratio"] is None else f"{row['ratio']:.2f}x"),
    ("DIFFERENCE", lambda row: number(row["difference"])),
    ("BESIDE", "beside"),
)


def show_report(env: "Environment", report: "Report", output: str) -> None:
    """Print a report as text, csv or json."""
    if output == "json":
        env.write(dump(report, "json"))
    elif output == "csv":
        env.write(to_csv(report).encode())
    else:
        env.print("\n".join(to_lines(report)))


def to_lines(report: "Report") -> list[str]:
    """Lay a report out: what it was measured on, the figures, the notes."""
    machine = report.machine
    facts = {
        "machine": (
            f"{machine['cores']} cores · {machine['cpu']} · "
            f"{format_bytes(int(machine['memory_bytes']))} memory · {machine['kernel']} · "
            f"{machine['file_system']}"
        ),
        "versions": " · ".join(f"{name} {version}" for name, version in report.versions.items()),
        "workload": " · ".join(
            f"{name.replace('_', ' ')} {_plain(value)}" for name, value in report.workload.items()
        ),
    }
    rows = _rows(report)
    columns = list(COLUMNS)
    if any(row["records_per_s"] is not None for row in rows):
        columns += RATES
    if any(row["beside"] is not None for row in rows):
        columns += COMPARED
    return [
        f"dataflare benchmark {report.benchmark}",
        "",
        *(f"  {name:<10}{clean(text)}" for name, text in facts.items()),
        "",
        *table_lines(rows, columns),
        *(["", *(f"  {clean(note)}" for note in report.notes)] if report.notes else []),
    ]


def to_csv(report: "Report") -> str:
    """Write a row a figure; each says again on what it was measured."""
    about = {"benchmark": report.benchmark}
    about |= _prefixed("machine", report.machine) | _prefixed("version", report.versions)
    about |= _prefixed("workload", report.workload)
    rows = [{**row, **about} for row in _rows(report)]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def number(value: float | None) -> str:
    """Write a number with about three digits that matter."""
    if value is None:
        return ""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def size(value: float | None) -> str:
    """Write a number of bytes a second."""
    return "" if value is None else format_bytes(round(value))


def _rows(report: "Report") -> list[dict[str, Any]]:
    import msgspec

    return [msgspec.structs.asdict(figure) for figure in report.figures]


def _plain(value: str | float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, (int, float)) else value


def _prefixed(prefix: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}_{name}": value for name, value in facts.items()}
