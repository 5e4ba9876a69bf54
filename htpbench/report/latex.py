"""Tables as LaTeX: tabulars that fit a line, for the package booktabs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from textwrap import wrap

import pandas

from htpbench.outside.printable import shown
from htpbench.report.text import MARK, NUMBER, numeric, write_text

LINE = 345  # points: a line of the standard classes
SIGN, GAP = 4.3, 6.0  # points: a sign in \footnotesize, the space between columns
LONG = 40  # signs: a longer text breaks into lines

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "`": "'",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def write_latex(parts: Iterable[pandas.DataFrame], folder: Path, name: str) -> Path:
    """Write <name>.tex: each table of texts as tabulars that fit a line, its notes below."""
    text = "\n".join(typeset(part) for part in parts)
    needed = "booktabs,xcolor" if r"\textcolor" in text else "booktabs"
    return write_text(folder / f"{name}.tex", f"% needs \\usepackage{{{needed}}}\n{text}")


def typeset(part: pandas.DataFrame) -> str:
    """A table; what does not fit a line goes below, the first column again before it."""
    columns = part.drop(columns="note", errors="ignore")
    lines = [r"{\footnotesize\frenchspacing\setlength{\tabcolsep}{3pt}%"]
    for names in fitting(columns):
        lines += [r"\noindent", tabular(columns.loc[:, names]), r"\par\medskip"]
    for line in part.to_dict("records"):
        if line.get("note"):
            name = cell(str(line["combination"]), code=True)
            lines.append(rf"\noindent\raggedright {name}: {escape(str(line['note']))}\par")
    return "\n".join([*lines, "}\n"])


def fitting(columns: pandas.DataFrame) -> list[list[str]]:
    """Names of columns by tabular; the first is in each, those of one quantity stay together."""
    first, *others = columns
    lines = [[first]]
    widths = {name: points(name, list(columns[name])) for name in columns}
    for _, group in groupby(others, lambda name: re.split(r" \(| =$", name)[0]):
        names = list(group)
        if lines[-1][1:] and sum(widths[name] for name in lines[-1] + names) > LINE:
            lines.append([first])
        lines[-1] += names
    return lines


def points(name: str, texts: list[str]) -> float:
    """About how wide a column is; one of long texts as narrow as it may be."""
    every = [*texts, *(text for line in heads([name]) for text in line)]
    if name == "combination":
        return SIGN * max(map(len, every)) + GAP
    wide, thin = (re.compile(signs) for signs in (r"[A-Z%mw]", r"[ .,:;\[\]()]"))
    longest = max(
        len(text) + 0.4 * (len(wide.findall(text)) - len(thin.findall(text))) for text in every
    )
    return SIGN * (LONG if wraps(name, texts) else longest) + GAP


def wraps(name: str, texts: list[str]) -> bool:
    """Whether a column holds texts that break into lines."""
    return name != "combination" and max(map(len, texts)) > LONG


def tabular(columns: pandas.DataFrame) -> str:
    """Names and units above; intervals small; long texts as wide as the line lets them be."""
    left = LINE - sum(points(name, list(columns[name])) for name in columns)
    above = heads([str(column) for column in columns])
    kinds = []
    for name in columns:
        if wraps(name, list(columns[name])):
            kinds.append(f"p{{{SIGN * LONG + max(left, 0):.0f}pt}}")
        else:
            kinds.append("r" if name != "combination" and numeric(columns.loc[:, name]) else "l")
    body = [
        [cell(str(text), code=column == "combination") for column, text in line.items()]
        for line in columns.to_dict("records")
    ]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{@{{}}{''.join(kinds)}@{{}}}}",
            r"\toprule",
            *(row(map(escape, texts)) for texts in above),
            r"\midrule",
            *map(row, body),
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


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
    number = NUMBER.fullmatch(text)
    if not number:
        return escape(text)
    value, interval = number.groups()
    small = rf" {{\scriptsize {minus(interval)}}}" if interval else ""
    if value.startswith(MARK):
        return rf"\textcolor{{gray}}{{{escape(value[0])}{minus(value[1:])}{small}}}"
    return f"{minus(value)}{small}"


def minus(text: str) -> str:
    """A hyphen is too short for a minus."""
    return text.replace("-", "$-$")


def escape(text: str) -> str:
    """Any text as LaTeX prints it; a power stands above, a line break becomes a space."""
    parts = re.split(r"\^(\d+)", shown(" ".join(text.split())))  # texts and powers in turn
    escaped = ["".join(SPECIAL.get(sign, sign) for sign in part) for part in parts]
    escaped = [part.replace("--", "-{}-") for part in escaped]  # it would become a dash
    return "".join(
        rf"\textsuperscript{{{part}}}" if index % 2 else part for index, part in enumerate(escaped)
    )
