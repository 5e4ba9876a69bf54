"""Pages of the reference that are made of the code: study files, verbs and metrics."""

import inspect
import re
import types
import typing
from pathlib import Path

from htpbench.cli.launch import app
from htpbench.outside.printable import in_markdown
from htpbench.study import settings
from htpbench.study.search import Search
from htpbench.study.study import Study
from htpbench.systems import catalogue
from htpbench.systems.registry import METERS

TABLES = {
    "": Study,
    "search": Search,
    "training": settings.Training,
    "evaluation": settings.EvaluationSettings,
    "timing": settings.TimingSettings,
    "sampling": settings.SamplingSettings,
    "slurm": settings.SlurmSettings,
}


def write(folder: Path) -> None:
    """Write the .part.md files that pages beside them include."""
    (folder / "study.part.md").write_text(study_keys())
    (folder / "verbs.part.md").write_text(verbs())
    (folder / "metrics.part.md").write_text(metrics())


def study_keys() -> str:
    """Every key of a study file, table by table: its type, its default, what its comment says."""
    parts = []
    for name, model in TABLES.items():
        parts.append(f"## {f'`[{name}]`' if name else 'At the top'}\n")
        parts.append(in_markdown_block(inspect.getdoc(model) or ""))
        said = comments(model)
        lines = ["| key | type | default | |", "| --- | --- | --- | --- |"]
        for key, field in model.model_fields.items():
            if key in TABLES:
                continue
            kind, usual = cell(spelt(field.annotation)), usual_of(field)
            if (model, key) == (Study, "name"):
                usual = "the file's"
            lines.append(f"| `{key}` | `{kind}` | {usual} | {in_markdown(said.get(key, ''))} |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def usual_of(field) -> str:
    """A field's default."""
    if field.is_required():
        return "required"
    return f"`{cell(repr(field.get_default(call_default_factory=True)))}`"


def spelt(kind) -> str:
    """A type as it is written, without what else is checked of it."""
    if kind is type(None):
        return "none"
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return spelt(parts[0])
    if origin is typing.Literal:
        return " or ".join(map(repr, parts))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(spelt, parts))
    if parts:
        return f"{origin.__name__}[{', '.join(spelt(one) for one in parts if one is not ...)}]"
    return getattr(kind, "__name__", str(kind))


def cell(text: str) -> str:
    """Code that a table's cell may hold."""
    return text.replace("|", "\\|")


def comments(model: type) -> dict[str, str]:
    """What stands behind or above each field of a model in its source."""
    found, above = {}, []
    for line in inspect.getsource(model).splitlines():
        match = re.match(r"    (\w+): [^#]*(?:# (.*))?$", line)
        if match:
            found[match[1]] = " ".join(filter(None, [*above, match[2]]))
        above = [*above, line.strip("# ")] if line.startswith("    # ") else []
    return found


def in_markdown_block(text: str) -> str:
    """A docstring as paragraphs."""
    return "\n\n".join(in_markdown(part) for part in text.split("\n\n")) + "\n"


def verbs() -> str:
    """Every verb with its options, as `--help` says them."""
    text = app.generate_docs(output_format="markdown", heading_level=1)
    _, mark, verbs = text.partition("## ")  # the page has a title of its own
    return mark + verbs


def metrics() -> str:
    """Every metric that a meter declares: its unit, which way is better, whether it is counted."""
    parts = []
    for name in catalogue.meters():
        meter = METERS.load(name)
        parts.append(f"## `{name}`\n")
        parts.append(in_markdown_block(inspect.getdoc(meter) or ""))
        lines = ["| metric | column | unit | better | |", "| --- | --- | --- | --- | --- |"]
        for one in meter.declared():
            kind = "counted" if one.exact else "" if one.kind == "number" else one.kind
            cells = (f"`{one.name}`", one.head, one.unit, one.better or "", kind)
            lines.append(f"| {' | '.join(cell(text) for text in cells)} |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)
