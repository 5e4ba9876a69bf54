"""Where a number came from, in words: machine, commit, interval, conditions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from htpbench.records.pairing import BY_CLIP
from htpbench.records.results import Environments, Results
from htpbench.records.rows import Row
from htpbench.report.paper import finder, row_of
from htpbench.report.published import published
from htpbench.report.quantities import quantity
from htpbench.report.regimes import scored
from htpbench.report.sides import named, ours_of
from htpbench.systems.catalogue import metric as metric_of

Cells = dict[tuple[str, str], str]  # (combination or printed row, column head) -> text
DELTA = "accuracy.delta"
TOLD_ONCE = {"environment", "device", "threads"}  # conditions that the environment says as well


def origin(row: Row, environments: Environments) -> str:
    """Lines: the number as it was measured, the machine, the software and when, the conditions."""
    number = f"{row.metric}: {row.status}"
    if row.status == "ok":
        value = f"{len(row.value)} values" if isinstance(row.value, list) else f"{row.value:.8g}"
        number = f"{row.metric} = {value}{'' if row.unit == '1' else f' {row.unit}'}"
    if row.low is not None and row.high is not None:
        number += f", 95 % in [{row.low:.8g}, {row.high:.8g}]"
    if row.samples is not None:
        number += f", {row.samples} samples"
    conditions = (f"{k} {v}" for k, v in row.conditions.items() if k not in TOLD_ONCE)
    when = f"{row.at}, commit {row.commit or 'unknown'}"
    where = machine(row.environment, environments)
    parts = [number, row.reason, where, when, ", ".join(conditions)]
    return "\n".join(filter(None, parts))


def machine(name: str, environments: Environments) -> str:
    """One environment: its machine, device, threads and versions."""
    facts = environments.get(name)
    if facts is None:
        return f"environment {name}, of which the results say no more"
    parts = [f"{facts.get('machine')}: {facts.get('device')}"]
    counts = [(facts[key], key) for key in ("cores", "threads") if facts.get(key)]
    parts += [f"{count} {key.removesuffix('s') if count == 1 else key}" for count, key in counts]
    versions = ("python", "torch", "cuda", "numpy")
    parts += [f"{key} {facts[key]}" for key in versions if facts.get(key)]
    return f"{', '.join(parts)} (environment {name})"


def summary(rows: Iterable[Row]) -> list[str]:
    """All machines, commits and days that rows came from."""
    rows = Results.of(rows)
    if not rows.rows:
        return []
    commits = ", ".join(sorted({row.commit or "unknown" for row in rows}))
    used = [
        machine(name, rows.environments) for name in dict.fromkeys(row.environment for row in rows)
    ]
    return [*used, f"measured {days(rows)} at commit {commits}"]


def days(rows: Iterable[Row]) -> str:
    """The day that rows were measured on, or the first and the last."""
    found = sorted({row.at[:10] for row in rows})
    return found[0] if len(found) == 1 else f"{found[0]} to {found[-1]}"


def sweep_origins(rows: Iterable[Row], reference: str) -> Cells:
    """The origin of each cell of the `sweep_table` of these rows; of an empty one, why it is."""
    rows = Results.of(rows)
    cells: Cells = {}
    for (combination, name), found in rows.cells.items():
        row = max(found, key=lambda row: (row.status == "ok", row.at))
        cells[combination, metric_of(name, row.unit).column] = origin(row, rows.environments)
    for row in sorted(rows.held, key=lambda row: row.at):
        if row.metric == BY_CLIP and row.status == "ok" and row.combination != reference:
            pairing = f"minus that of {reference}, paired clip by clip, 95 % over subjects"
            cells[row.combination, metric_of(DELTA).column] = (
                f"{pairing}\n{origin(row, rows.environments)}"
            )
    return cells


def published_origins(table: int, rows: Iterable[Row]) -> Cells:
    """The origin of each number of `sides`, the paper's and ours."""
    rows = Results.of(rows)
    cells: Cells = {}
    found = finder(table, rows)
    for one in published(table).to_dict("records"):
        name, asked = str(one["row"]), quantity(table, one["metric"], one["pipeline"])
        cells[name, f"{named(one)} printed"] = f"printed in Table {table} of the H2OT paper"
        row = row_of(found(one), asked.ours, one)
        if row is not None:
            cells[name, ours_of(one["metric"], one["unit"])] = origin(row, rows.environments)
    return cells


def regime_origins(rows: Iterable[Row]) -> Cells:
    """The origins of each cell of a `regime_table`, one for each seed."""
    rows = Results.of(rows)
    cells: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in scored(rows):
        head = f"{row.conditions['trained']} (mm)"
        cells[row.combination, head].append(origin(row, rows.environments))
    return {key: "\n\n".join(parts) for key, parts in cells.items()}
