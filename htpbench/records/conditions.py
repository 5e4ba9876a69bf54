"""Conditions: how a number was measured, which is part of its row's key."""

from __future__ import annotations

from typing import Any


def beyond(**fields: tuple[Any, Any]) -> dict[str, Any]:
    """Conditions that are not at their default: name = (value, default).

    A condition that came later is left out at its default, so that a row of before, which does not
    have it, keeps its key. Those that were always written stay.
    """
    return {name: value for name, (value, default) in fields.items() if value != default}
