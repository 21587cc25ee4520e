"""How a benchmark's report is shown: text for people, CSV with everything in each row, JSON."""

import csv
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dataflare_cli.commands.render import Column, clean, dump, fold, table_lines
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
PERCENTILES = ("P95", "P99")
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
        env.print("\n".join(to_lines(report, env.width)))


def to_lines(report: "Report", width: int) -> list[str]:
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
            _said(name.replace("_", " "), value)
            for name, value in report.workload.items()
            if value is not False
        ),
    }
    lines = [f"dataflare benchmark {report.benchmark}", ""]
    for name, text in facts.items():
        lines += _fold_items(f"  {name:<10}{clean(text)}", width)
    for table in _tables(_rows(report), width):
        lines += ["", *table]
    if report.notes:
        lines.append("")
    for note in report.notes:
        lines += fold(f"  {clean(note)}", width, indent="  ")
    return lines


def _tables(rows: list[dict[str, Any]], width: int) -> list[list[str]]:
    """Return one table of everything, or one each of costs, rates and comparisons."""
    # A percentile of a few samples is the largest one: MAX says it.
    columns = [each for each in COLUMNS if each[0] not in PERCENTILES or _says_more(rows, each)]
    rated = [row for row in rows if row["records_per_s"] is not None]
    compared = [row for row in rows if row["beside"] is not None]
    whole = [*columns, *(RATES if rated else ()), *(COMPARED if compared else ())]
    lines = table_lines(rows, whole)
    if max(map(len, lines)) <= width:
        return [lines]
    parts = ((rows, columns), (rated, (COLUMNS[0], *RATES)), (compared, (COLUMNS[0], *COMPARED)))
    return [table_lines(some, shown, width) for some, shown in parts if some]


def _says_more(rows: list[dict[str, Any]], column: Column) -> bool:
    return any(row[column[0].lower()] != row["max"] for row in rows)


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


def _said(name: str, value: str | float) -> str:
    """Write what was chosen; of what is just done or not, its name."""
    if isinstance(value, bool):
        return name
    return f"{name} {value:,}" if isinstance(value, (int, float)) else f"{name} {value}"


def _fold_items(text: str, width: int) -> list[str]:
    """Break a text between its items, which are apart by a dot."""
    first, *more = text.split(" · ")
    lines = [first]
    for item in more:
        lines[-1] += " ·"
        if len(lines[-1]) + len(item) + 3 <= width:
            lines[-1] += f" {item}"
        else:
            lines.append(f"{'':<12}{item}")
    return lines


def _prefixed(prefix: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}_{name}": value for name, value in facts.items()}
