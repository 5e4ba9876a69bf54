"""What a figure was measured on, in one line under its title."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from htpbench.rows import Row


def scored(rows: Iterable[Row]) -> str:
    """What MPJPE was measured on; "" where none was."""
    card = last(rows, "accuracy.mpjpe", "weights")
    if not card:
        return ""
    return f"{data(card)}, {card['windows']} windows), {source(card)}"


def chosen(rows: Iterable[Row]) -> str:
    """Which windows frames were kept of; "" where the rows do not tell them one by one."""
    card = last(rows, "selection.windows", "weights")
    if not card:
        return ""
    windows = card["windows"].split()[0]
    cut = f"{windows} consecutive windows, stride {card['stride']}"
    return f"{data(card)}, {cut}), {source(card)}"


def linked(rows: Iterable[Row]) -> str:
    """Of which windows the graph and the stages are; "" where no pruner has a graph."""
    card = last(rows, "selection.links", "weights")
    told = "the graph of the first window, the frames of the first four"
    return f"{data(card)}, {card['windows']} windows: {told}), {source(card)}" if card else ""


def timed(rows: Iterable[Row]) -> str:
    """What times were measured with; "" where none was."""
    rows = list(rows)
    card = last(rows, "time.speedup", "device") or last(rows, "sampling.speedup", "device")
    if not card:
        return ""
    threads = "1 thread" if card["threads"] == 1 else f"{card['threads']} threads"
    return f"{card['device']}, {threads}, {card['dtype']}, batch {card['batch']}"


def last(rows: Iterable[Row], metric: str, field: str) -> dict[str, Any]:
    """Conditions of the last row of a metric that has a field; {} if none has."""
    told = [row.conditions for row in rows if row.metric == metric and field in row.conditions]
    return told[-1] if told else {}


def data(card: dict[str, Any]) -> str:
    """Data and subjects, its bracket open."""
    return f"{card['data']} ({card['split']} subjects"


def source(card: dict[str, Any]) -> str:
    """Detections and weights."""
    weights = f"weights {card['weights']}"
    if card["weights"] == "weights":  # the file that `train` writes: its name says nothing
        length = card["training"]
        weights = f"trained for {length['steps'] or length['epochs']} "
        weights += "steps" if length["steps"] else "epochs"
    return f"{card['detections']} detections, {weights}"
