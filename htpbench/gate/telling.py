"""A judgement as a table for people, Markdown for a summary page, JSON, or JUnit's XML."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree

import pandas
from rich.box import SIMPLE_HEAD
from rich.table import Table

from htpbench.gate.finding import Finding, Judgement
from htpbench.gate.pinned import Rows
from htpbench.outside.printable import in_markdown, shown
from htpbench.report.text import markdown

HEADS = ("combination", "metric", "pinned", "found", "difference", "fails on")


def table(judged: Judgement) -> list[Table | str]:
    """What fails, notes, and the summary in the last line."""
    failing = frame(judged)
    lines = Table(*HEADS, box=SIMPLE_HEAD)
    for cells in failing.itertuples(index=False):
        lines.add_row(*cells)
    said = [] if failing.empty else [lines]
    return [*said, *(f"note: {note}" for note in notes(judged)), summary(judged)]


def render(judged: Judgement, format: str) -> str:
    """The judgement as "json", "markdown" or "junit"."""
    return {"json": as_json, "markdown": as_markdown, "junit": as_junit}[format](judged)


def frame(judged: Judgement) -> pandas.DataFrame:
    """A line of texts for each number that fails."""
    lines = [
        (one.row.combination, one.row.metric, one.pinned, one.found, one.difference, one.why)
        for one in judged.findings
        if one.fails
    ]
    return pandas.DataFrame(lines, columns=HEADS)


def notes(judged: Judgement) -> Iterator[str]:
    """What got better, what nobody can tell, and whether the weights are others."""
    for one in judged.findings:
        name = f"{one.row.combination} {one.row.metric}"
        if one.state == "better":
            yield f"{name} is better by more than the rule ({one.difference}): --pin it"
        if one.state == "unsure":
            yield f"{name} is {one.found}: its interval holds the limit ({one.why})"
    was, now = weights(judged.before), weights(judged.after)
    if was != now:
        yield f"the weights' SHA-256 begins with {now}, pinned {was}"


def summary(judged: Judgement) -> str:
    """How many numbers are as they were pinned, and as they are required, in one line."""
    if not judged.findings:
        return "nothing was measured that could be compared"
    count = Counter(one.state for one in judged.findings)
    parts = [f"{count['same'] + count['better']} numbers as pinned"]
    if count["worse"] or count["missing"]:
        parts = [f"{count['worse']} regressed", f"{count['missing']} not compared", *parts]
    parts += [f"{count['kept']} as required"] if count["kept"] else []
    parts += [f"{count['unsure']} undecided"] if count["unsure"] else []
    return ", ".join(parts)


def weights(rows: Rows) -> str:
    """The digests of the weights that rows were measured with."""
    digests = {row.conditions.get("weights_sha256") for row in rows.rows.values()}
    return ", ".join(sorted(filter(None, digests))) or "none"


def as_json(judged: Judgement) -> str:
    """An object: study, exit code, summary, notes, and each number with its state."""
    numbers = [
        {
            "combination": one.row.combination,
            "metric": one.row.metric,
            **{name: getattr(one, name) for name in Finding._fields if name != "row"},
        }
        for one in judged.findings
    ]
    told = {"study": judged.study, "exit_code": judged.code, "summary": summary(judged)}
    return json.dumps({**told, "notes": [*notes(judged)], "numbers": numbers}, indent=1)


def as_markdown(judged: Judgement) -> str:
    """What fails, for the page that a CI shows of its run."""
    failing = frame(judged)
    head = f"### {in_markdown(judged.study)}: {in_markdown(summary(judged))}"
    parts = [] if failing.empty else [markdown(failing).rstrip()]
    told = [f"* {in_markdown(note)}" for note in notes(judged)]
    return "\n\n".join([head, *parts, *(["\n".join(told)] if told else [])])


def as_junit(judged: Judgement) -> str:
    """A test a number, as CI services read them: a failure is worse, an error not compared."""
    count = Counter(one.state for one in judged.findings)
    totals = {"failures": count["worse"], "errors": count["missing"]}
    attributes = {"name": judged.study, "tests": len(judged.findings), **totals}
    suite = ElementTree.Element("testsuite", {key: str(x) for key, x in attributes.items()})
    for one in judged.findings:
        case = {"classname": one.row.combination, "name": one.row.metric}
        test = ElementTree.SubElement(suite, "testcase", {k: shown(x) for k, x in case.items()})
        if one.fails:
            words = [one.pinned and f"pinned {one.pinned}", one.found and f"found {one.found}"]
            said = shown(", ".join(filter(None, [*words, one.difference, one.why])))
            kind = "failure" if one.state == "worse" else "error"
            ElementTree.SubElement(test, kind, {"message": said})
    told = "\n".join([*notes(judged), summary(judged)])
    ElementTree.SubElement(suite, "system-out").text = shown(told)
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)
