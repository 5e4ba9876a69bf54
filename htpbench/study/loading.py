"""Where studies come from: TOML files, shipped or the user's, and the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from htpbench.errors import BenchError, unknown
from htpbench.outside import files
from htpbench.outside.models import fault, faults
from htpbench.study.search import Search
from htpbench.study.settings import (
    EvaluationSettings,
    SamplingSettings,
    SlurmSettings,
    TimingSettings,
    Training,
)
from htpbench.study.study import Imports, Study
from htpbench.systems.combination import Combination
from htpbench.systems.registry import import_file
from htpbench.systems.shipped import data_folder


def by_hand(
    combinations: list[Combination],
    meters: list[str],
    data: Sequence[str] | None,
    sampling: Mapping[str, Any],
    timing: Mapping[str, Any] | None = None,
    protocol: str | None = None,
    **settings: str | None,
) -> Study:
    """A study of what was named on the command line; BenchError for wrong numbers."""
    named = {} if data is None else {"data": tuple(data)}
    try:
        return Study(
            name="run",
            title="Measured by hand",
            meters=meters,
            combinations=[str(combination) for combination in combinations],
            evaluation=EvaluationSettings.model_validate({**named, "protocol": protocol}),
            sampling=SamplingSettings(**sampling),
            timing=TimingSettings(**(timing or {})),
            **settings,  # type: ignore[arg-type]
        )
    except ValidationError as error:
        raise BenchError(faults(error, wrong)) from error


def names() -> list[str]:
    """The studies that come with the package."""
    return sorted(path.stem for path in (data_folder() / "studies").glob("*.toml"))


def load(name: str) -> Study:
    """A shipped study by name, or a TOML file by path; BenchError lists every wrong field."""
    path = Path(name)
    if path.suffix != ".toml":
        if name not in names():
            raise unknown("study", name, [*names(), "a path to a .toml file"])
        path = data_folder() / "studies" / f"{name}.toml"
    try:
        given = {"name": path.stem, **files.load_toml(path)}
    except BenchError as error:
        raise BenchError(f"study {error}") from error
    try:
        for file in Imports.model_validate(given).imports:
            import_file(Path(file))
        path.stem.encode()
        return Study.model_validate(given).named(name)
    except UnicodeEncodeError:
        raise BenchError(
            f"study {path}: its name is not Unicode text, or not in this locale; "
            "rename it, or set PYTHONUTF8=1"
        ) from None
    except ValidationError as error:
        raise BenchError(f"study {path}: {faults(error, wrong)}") from error
    except BenchError as error:
        raise BenchError(f"study {path}: {error}") from error


def wrong(item: Mapping) -> str:
    """One wrong field in words; an unknown key is told the nearest known ones."""
    place = ".".join(str(part) for part in item["loc"])
    if item["type"] != "extra_forbidden":
        return fault(item)
    owner = {
        "search": Search,
        "training": Training,
        "evaluation": EvaluationSettings,
        "timing": TimingSettings,
        "sampling": SamplingSettings,
        "slurm": SlurmSettings,
    }
    model = owner.get(str(item["loc"][0]), Study) if len(item["loc"]) > 1 else Study
    return str(unknown("key", place, model.model_fields))
