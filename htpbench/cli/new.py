"""The verb that begins a file of one's own."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template
from typing import Annotated, Literal

from cyclopts import Parameter

from htpbench.cli.shared import app, out
from htpbench.errors import BenchError

TAKEN = ("none", "true", "false")  # no names of classes


@app.command(sort_key=12)
def new(
    kind: Literal["study", "pruner", "recoverer", "backbone", "meter"],
    name: Annotated[str, Parameter(help="Of the file, and of the system in it.")],
) -> None:
    """Write a file that works as it stands, and for a system the test that it must pass."""
    from htpbench.outside.drafts import write_file
    from htpbench.study import loading
    from htpbench.systems.registry import BACKBONES, METERS, PRUNERS, RECOVERERS
    from htpbench.systems.shipped import data_folder

    if not re.fullmatch(r"(?!test_)[a-z][a-z0-9_]{0,60}", name) or name in TAKEN:
        raise BenchError(f"{name!r}: expected a name of small letters, digits and _, as my_{kind}")
    for registry in (BACKBONES, METERS, PRUNERS, RECOVERERS):
        if registry.kind == kind and name in registry.names():
            raise BenchError(f"{name} is a {kind} of {registry.owner(name)}; choose another name")
    if kind == "study" and name in (*loading.names(), "run"):
        raise BenchError(f"{name} is a study of htpbench itself; choose another name")
    words = {"name": name, "Class": name.title().replace("_", "")}
    templates = data_folder() / "baselines" / "templates"
    files = {
        Path(source.name.replace(kind, name).removesuffix(".txt")): source
        for source in sorted(templates.glob(f"*{kind}.*"))
    }
    for path in files:
        if path.exists():
            raise BenchError(f"{path} is there already; choose another name, or remove it")
    for path, source in files.items():
        text = Template(source.read_text()).substitute(words)
        write_file(path, text.encode())
        out.print(f"written: {path}", highlight=False, markup=False, soft_wrap=True)
    first = Template(command(next(iter(files.values())))).substitute(words)
    out.print(f"next: {first}", highlight=False, markup=False, soft_wrap=True)


def command(source: Path) -> str:
    """The command that the first line of a template names between backticks."""
    return source.read_text().split("`")[1]
