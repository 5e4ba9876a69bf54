"""Tables as LaTeX: one tabular each, for the package booktabs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from textwrap import wrap

import pandas

from htpbench.report.tables import write_file

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def write_latex(parts: Iterable[pandas.DataFrame], folder: Path, name: str) -> Path:
    """Write <name>.tex: a tabular for each table of texts, its notes below it."""
    text = "\n".join(tabular(part) for part in parts)
    return write_file(folder / f"{name}.tex", f"% needs \\usepackage{{booktabs}}\n{text}".encode())


def tabular(part: pandas.DataFrame) -> str:
    """Names and units above; intervals small; notes after the table."""
    columns = part.drop(columns="note", errors="ignore")
    above = heads([str(column) for column in columns])
    words = [name == "combination" or not numeric(column) for name, column in columns.items()]
    body = [
        [cell(str(text), code=column == "combination") for column, text in line.items()]
        for line in columns.to_dict("records")
    ]
    lines = [
        rf"\begin{{tabular}}{{{''.join('l' if word else 'r' for word in words)}}}",
        r"\toprule",
        *(row(map(escape, texts)) for texts in above),
        r"\midrule",
        *map(row, body),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    for line in part.to_dict("records"):
        if line.get("note"):
            name = cell(str(line["combination"]), code=True)
            lines.append(rf"\par{{\footnotesize {name}: {escape(str(line['note']))}}}")
    return "\n".join(lines) + "\n"


def heads(columns: list[str]) -> list[list[str]]:
    """The lines above a table: names broken into short lines that end together, then units."""
    split = [re.fullmatch(r"(.*?)(?: (\([^()]*\)))?", column) for column in columns]
    names = [wrap(match[1], 14) for match in split if match]
    units = [match[2] or "" for match in split if match]
    height = max(map(len, names))
    padded = [[""] * (height - len(name)) + name for name in names]
    return [*map(list, zip(*padded, strict=True)), *([units] if any(units) else [])]


def row(cells: Iterable[str]) -> str:
    """One line of a tabular."""
    return rf"{' & '.join(cells)} \\"


def cell(text: str, code: bool = False) -> str:
    """A text, a combination in typewriter, or a number with its interval in small."""
    if code:
        return rf"\texttt{{{escape(text)}}}" if text else ""
    number = re.fullmatch(r"([-+]?[\d.]+(?:e[-+]?\d+)?)(?: (\[.*\]))?", text)
    if not number:
        return escape(text)
    value, interval = number.groups()
    small = rf" {{\scriptsize {minus(interval)}}}" if interval else ""
    return f"{minus(value)}{small}"


def minus(text: str) -> str:
    """A hyphen is too short for a minus."""
    return text.replace("-", "$-$")


def numeric(column: pandas.Series) -> bool:
    """Whether a column of texts holds numbers alone."""
    return all(re.match(r"[-+]?\d", str(text)) for text in column if text)


def escape(text: str) -> str:
    """Any text as LaTeX prints it; a power stands above, a line break becomes a space."""
    parts = re.split(r"\^(\d+)", " ".join(text.split()))  # texts and powers in turn
    told = ["".join(SPECIAL.get(sign, sign) for sign in part) for part in parts]
    return "".join(
        rf"\textsuperscript{{{part}}}" if index % 2 else part for index, part in enumerate(told)
    )
