"""Verdicts as a table, CSV, JSON or Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

import pandas
from rich.console import Group
from rich.text import Text

from htpbench.outside.fitting import Fitting
from htpbench.outside.printable import first_of, in_markdown
from htpbench.records.intervals import FLOOR
from htpbench.records.judging import Verdict
from htpbench.records.moved import Moved
from htpbench.report.captions import data, source
from htpbench.report.console import plain_lines
from htpbench.report.tables import amount
from htpbench.report.text import markdown
from htpbench.systems import catalogue

SPARED = ["of A", "samples"]  # left out where a terminal is narrow


def render(verdicts: Sequence[Verdict], a: str, b: str, format: str) -> Any:
    """What `format` ("table", "csv", "json", "markdown") says of B against A.

    JSON and CSV keep plain numbers in base units, JSON the conditions too.
    """
    plain = [{"A": a, "B": b, **asdict(verdict)} for verdict in verdicts]
    if format == "json":
        return json.dumps(plain, indent=1)
    if format == "csv":
        return as_csv(plain)
    frame = pandas.DataFrame([line(verdict) for verdict in verdicts])
    remarks = notes(verdicts, a, b)
    if format == "markdown":
        return "\n".join([markdown(frame), *(f"* {in_markdown(note)}" for note in remarks)])
    return Fitting(*(plain_lines(each, remarks) for each in (frame, frame.drop(columns=SPARED))))


def as_csv(plain: list[dict[str, Any]]) -> str:
    """Verdicts as numbers in base units; "" for none."""
    if not plain:
        return ""
    frame = pandas.DataFrame(plain).drop(columns=["conditions", "differing"])
    frame[["samples_a", "samples_b"]] = frame.pop("samples").to_list()
    return frame.to_csv(index=False).rstrip("\n")


def line(verdict: Verdict) -> dict[str, str]:
    """One metric in the unit that people use."""
    metric = catalogue.metric(verdict.metric, verdict.unit)
    finer = replace(metric, decimals=metric.decimals + 1)
    apart = amount(verdict.difference, finer, sign="+")
    if verdict.how != "exact" and verdict.low is not None and verdict.high is not None:
        bounds = [amount(bound, finer, sign="+") for bound in (verdict.low, verdict.high)]
        apart += f" [{', '.join(bounds)}]"
    samples = dict.fromkeys(str(count) for count in verdict.samples if count is not None)
    return {
        "metric": metric.column,
        "A": amount(verdict.a, metric),
        "B": amount(verdict.b, metric),
        "B minus A": apart,
        "of A": f"{100 * verdict.difference / verdict.a:+.1f} %" if verdict.a else "",
        "samples": ", ".join(samples),
        "B is": verdict.verdict,
        "interval": verdict.how,
    }


def notes(verdicts: Iterable[Verdict], a: str, b: str) -> list[str]:
    """Who is who, what the words mean, and in what the compared systems differ."""
    remarks = [
        f"A: {a}",
        f"B: {b}",
        f"same: the 95 % interval lies within {100 * FLOOR} % of A; better, worse: wholly outside",
        "each metric stands for itself: whoever asks many finds one in 20 by chance",
    ]
    reasons: dict[str, list[str]] = {}
    for verdict in verdicts:
        if verdict.why:
            reasons.setdefault(verdict.why, []).append(verdict.metric)
    for why, names in reasons.items():
        remarks.append(f"{first_of(names)}: unsure: {why}")
    for verdict in verdicts:
        meter = verdict.metric.partition(".")[0]
        if {"data", "split", "detections"} <= verdict.conditions.keys():
            remarks += [f"{meter}: {on_what(verdict.conditions)}"]
        remarks += [
            f"{meter}: {k} is {x!r} for A, {y!r} for B" for k, (x, y) in verdict.differing.items()
        ]
    return list(dict.fromkeys(remarks))


def on_what(card: dict[str, Any]) -> str:
    """The motion that two combinations were compared on, and the weights if they share them."""
    if "weights" in card:
        return f"{data(card)}), {source(card)}"
    return f"{data(card)}), {card['detections']} detections"


def render_runs(moved: Moved, a: str, b: str, format: str) -> Any:
    """What `format` ("table", "csv", "json", "markdown") says of what moved from run A to run B.

    JSON and CSV have all verdicts, the others those of numbers that moved.
    """
    if format in ("json", "csv"):
        plain = [
            {"combination": name, **asdict(one)}
            for name, found in moved.verdicts.items()
            for one in found
        ]
        told = {"A": a, "B": b, "summary": moved.summary(), "remarks": moved.remarks}
        return (
            json.dumps(told | {"verdicts": plain}, indent=1) if format == "json" else as_csv(plain)
        )
    lines = [{"combination": name, **line(one)} for name, one in moved.which()]
    frame = pandas.DataFrame(lines)
    remarks = [f"A: {a}", f"B: {b}", moved.summary(), *moved.remarks]
    if format == "markdown":
        parts = [markdown(frame)] if lines else []
        return "\n".join([*parts, *(f"* {in_markdown(note)}" for note in remarks)])
    return Group(*([plain_lines(frame)] if lines else []), *map(Text, remarks))
