"""What a figure was measured on, in one line under its title."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from htpbench.records.results import Results
from htpbench.records.rows import Row
from htpbench.report.throughput import by_size

SOURCE = ("data", "split", "detections", "weights")  # what a caption says of errors
CLOCK = ("device", "threads", "dtype", "batch")  # and of times
MEMORY = (
    "counted with the recipe's batch, attention matrices kept; ratios leave out the 1.25 GB of a "
    "printed number that a process with CUDA takes"
)


def scored(rows: Iterable[Row]) -> str:
    """What MPJPE was measured on; "" where none was."""
    card = last(rows, "accuracy.mpjpe", *SOURCE, "windows")
    if not card:
        return ""
    return f"{data(card)}, {card['windows']} windows), {source(card)}{run(card)}"


def run(card: dict[str, Any]) -> str:
    """What ran the networks, where that was not torch in float32."""
    precision = card.get("dtype", "float32")
    said = [card.get("engine", ""), "" if precision == "float32" else precision]
    return "".join(f", {one}" for one in said if one)


def beside(rows: Iterable[Row]) -> str:
    """What ours was measured on that stands beside printed errors; "" where none does."""
    cards = [row.conditions for row in rows]
    if not cards:
        return ""
    windows = " / ".join(dict.fromkeys(str(card["windows"]) for card in cards))
    protocols = " / ".join(dict.fromkeys(card.get("protocol", "once") for card in cards))
    detected = f"{cards[-1]['detections']} detections, protocol {protocols}"
    return f"Ours: {data(cards[-1])}, {windows} windows), {detected}"


def beside_tables(rows: Iterable[Row]) -> str:
    """What ours was measured with that stands beside a printed table, a sentence each."""
    rows = list(rows)
    memory = last(rows, "training_memory.plain", "training_batch")
    training = last(rows, "training.speedup", "training_batch")
    told = {
        "Times": timed(rows),
        "Training steps": f"batch {training['training_batch']}" if training else "",
        "Memory in training": MEMORY if memory else "",
        "Errors": errors(rows),
    }
    return " ".join(f"{what}: {said}." for what, said in told.items() if said)


def errors(rows: Iterable[Row]) -> str:
    """What errors of trained networks were measured on, each data set and source once."""
    cards = [
        row.conditions
        for row in rows
        if row.metric == "accuracy.mpjpe" and {*SOURCE, "windows"} <= row.conditions.keys()
    ]
    scored = [card for card in cards if card["weights"] != "random"]
    told = [f"{data(card)}), {source(card)}" for card in scored]
    return "; ".join(dict.fromkeys(told))


def chosen(rows: Iterable[Row]) -> str:
    """Which windows frames were kept of; "" where the rows do not tell them one by one."""
    card = last(rows, "selection.windows", *SOURCE, "windows", "stride")
    if not card:
        return ""
    windows = card["windows"].partition(" ")[0]
    cut = f"{windows} consecutive windows, stride {card['stride']}"
    return f"{data(card)}, {cut}), {source(card)}"


def linked(rows: Iterable[Row]) -> str:
    """Of which windows the graph and the stages are; "" where no pruner has a graph."""
    card = last(rows, "selection.links", *SOURCE, "windows")
    of = "the graph of the first window, the frames of the first four"
    return f"{data(card)}, {card['windows']} windows: {of}), {source(card)}" if card else ""


def timed(rows: Iterable[Row]) -> str:
    """What times were measured with; "" where none was."""
    rows = list(rows)
    card = last(rows, "time.speedup", *CLOCK) or last(rows, "sampling.speedup", *CLOCK)
    if not card:
        return ""
    cards = [card for part in by_size(Results.of(rows)) for card in part.doubtful.values()]
    told = {metric for card in cards for metric in card}
    doubtful = told & {"time.speedup", "sampling.speedup"}
    threads = "1 thread" if card["threads"] == 1 else f"{card['threads']} threads"
    graph = ", CUDA graph" if card.get("graph") else ""
    busy = "times not to be trusted, " if doubtful else ""
    engine = f"{card['engine']}, " if "engine" in card else ""
    how = f"{threads}, {engine}{card['dtype']}{graph}, batch {card['batch']}"
    return f"{busy}{card['device']}, {how}"


def last(rows: Iterable[Row], metric: str, *fields: str) -> dict[str, Any]:
    """Conditions of the last row of a metric that has these fields; {} if none has."""
    conditions = [row.conditions for row in rows if row.metric == metric]
    return next((card for card in reversed(conditions) if {*fields} <= card.keys()), {})


def data(card: dict[str, Any]) -> str:
    """Data and subjects, its bracket open."""
    return f"{card['data']} ({card['split']} subjects"


def source(card: dict[str, Any]) -> str:
    """Detections and weights."""
    weights = f"weights {card['weights']}"
    length = card.get("training", {})
    for unit in ("epochs", "steps", "minutes"):
        # The name of the file that `train` writes says nothing.
        if card["weights"] == "weights" and length.get(unit):
            weights = f"trained for {length[unit]} {unit}"
    return f"{card['detections']} detections, {weights}"
