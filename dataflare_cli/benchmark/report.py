"""Figures: samples summed up, and the report they stand in.

Everything measured is a cost (a time, a memory, a share of a processor): less is better,
the best sample is the smallest, and a high percentile is a bad one.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec

SCHEMA = "dataflare.benchmark/v1"
MS_PER_S = 1000.0
BYTES_PER_MB = 1_000_000


class Load(msgspec.Struct, frozen=True):
    """What one sample moves; rates are made of it."""

    records: int
    size_bytes: int


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One cost, summed up over its samples.

    `ratio` and `difference` compare medians with those of the figure named by `beside`.
    """

    name: str
    unit: str
    samples: int
    best: float
    p50: float
    p95: float
    p99: float
    max: float
    records_per_s_best: float | None = None
    records_per_s: float | None = None
    bytes_per_s: float | None = None
    beside: str | None = None
    ratio: float | None = None
    difference: float | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, on what, and how it came out."""

    schema: str = SCHEMA
    benchmark: str
    machine: Mapping[str, str | int]
    versions: Mapping[str, str]
    workload: Mapping[str, str | int | float]
    figures: Sequence[Figure]
    notes: Sequence[str] = ()


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest sample that at least this share of all is not above (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def summarise(
    name: str,
    unit: str,
    samples: Sequence[float],
    *,
    load: Load | None = None,
    beside: Figure | None = None,
) -> Figure:
    """Sum up samples (one at least); those of a load are in seconds."""
    ordered = sorted(samples)
    best, p50 = ordered[0], percentile(ordered, 0.5)
    return Figure(
        name=name,
        unit=unit,
        samples=len(ordered),
        best=best,
        p50=p50,
        p95=percentile(ordered, 0.95),
        p99=percentile(ordered, 0.99),
        max=ordered[-1],
        records_per_s_best=_rate(load.records, best) if load else None,
        records_per_s=_rate(load.records, p50) if load else None,
        bytes_per_s=_rate(load.size_bytes, p50) if load else None,
        beside=beside.name if beside else None,
        ratio=p50 / beside.p50 if beside and beside.p50 else None,
        difference=p50 - beside.p50 if beside else None,
    )


def _rate(count: int, seconds: float) -> float | None:
    """Per second; None where start-up, taken off, left no time at all."""
    return count / seconds if seconds > 0 else None
