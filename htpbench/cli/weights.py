"""Verbs for finished weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from htpbench.cli.shared import app, out
from htpbench.errors import BenchError

weights = App(name="weights", help="Bring official checkpoints in.", sort_key=6.5)
app.command(weights)


@weights.command
def convert(
    file: Annotated[Path, Parameter(help="An official checkpoint, as torch.save wrote it.")],
    *,
    as_: Annotated[
        str, Parameter(name="--as", help="What it was trained as, mixste-243+tpc:81@3+tra.")
    ],
    out_: Annotated[
        Path | None, Parameter(name="--out", help="Default: FILE, ending in .safetensors.")
    ] = None,
    missing: Annotated[
        list[str] | None, Parameter(negative="", help="A key that may be missing; repeat.")
    ] = None,
) -> None:
    """Turn an official checkpoint into a file for --weights; nothing in it is run."""
    from htpbench.convert.convert import convert as bring

    if not file.name:
        raise BenchError(f"{file}: expected the file of a checkpoint")
    path = out_ or file.with_suffix(".safetensors")
    card, new = bring(file, as_, path, missing or ())
    source = card["source"]
    share = f"{source['found']} of {source['keys']} keys ({source['found'] / source['keys']:.1%})"
    said = f"{file.name}: {source['layout']}; {share} of {card['recipe']['combination']}"
    for line in (
        said,
        f"sha256: {source['sha256']}",
        f"{'written' if new else 'unchanged'}: {path}",
    ):
        out.print(line, highlight=False, markup=False, soft_wrap=True)
