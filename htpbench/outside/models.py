"""What the models of outside files share: strictness, numbers that a machine can hold,
one or several of a kind, errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from htpbench.errors import BenchError

# A number that numpy cannot hold would fail far from where it was written.
Count = Annotated[int, Field(ge=1, le=10**9)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
LISTED = 10  # wrong fields in a message


class Strict(BaseModel):
    """No unknown keys, no other types, no infinite numbers, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def several(given: Any, name: str, kind: str) -> Any:
    """A list of one as the one, of more as a tuple; BenchError of none and of one twice."""
    if not isinstance(given, list | tuple):
        return given
    if not given or len(set(map(str, given))) < len(given):
        raise BenchError(f"`{name}` is {[*given]}; expected {kind}, each once")
    return given[0] if len(given) == 1 else tuple(given)


def fault(item: Mapping[str, Any]) -> str:
    """One wrong field in words."""
    return f"{'.'.join(str(part) for part in item['loc']):.100}: {item['msg']}"


def faults(error: ValidationError, word: Callable[[Mapping[str, Any]], str] = fault) -> str:
    """The wrong fields in words; of very many the first."""
    items = error.errors()
    said = [word(item) for item in items[:LISTED]]
    return "; ".join(said + [f"and {len(items) - LISTED} more"] * (len(items) > LISTED))
