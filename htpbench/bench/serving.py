"""Which files of a folder of weights serve which combinations, by what their cards say."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from htpbench.errors import BenchError
from htpbench.network.weights import WeightsCard, read_card
from htpbench.systems.combination import Combination, parse


def serving(
    folders: Iterable[Path], wanted: Iterable[Combination]
) -> tuple[dict[str, str], dict[Path, str]]:
    """Combination -> its file; and of the files that are not used, why.

    A file serves the combination that it was trained as, and one that was trained for any schedule
    serves all of its network. BenchError for a folder that is none.
    """
    cards = {path: read_card(path)[1] for folder in folders for path in weights_in(folder)}
    found: dict[str, str] = {}
    for one in wanted:
        own = [
            path for path, card in cards.items() if card.schedule and trained_as(card) == str(one)
        ]
        any_of = [
            path
            for path, card in cards.items()
            if card.schedule == "any" and trained_as(card) == str(one.unpruned)
        ]
        if path := next(iter([*own, *any_of]), None):
            found[str(one)] = str(path)
    left = {path: card for path, card in cards.items() if str(path) not in found.values()}
    return found, {path: why(card, found) for path, card in left.items()}


def why(card: WeightsCard, found: dict[str, str]) -> str:
    """Why a file is not used."""
    if not card.schedule:
        return "its card does not say for which schedules it was trained"
    name = trained_as(card)
    if name in found:
        return f"{found[name]} serves {name} already"
    return f"it is of {name or 'no combination'}"


def weights_in(folder: Path) -> list[Path]:
    """The files with a card below a folder, in order; of a training its end alone.

    One that is under way has none: it is to go on.
    """
    if not folder.is_dir():
        raise BenchError(f"{folder} is no folder; expected one of converted checkpoints")
    every = sorted(
        path for path in folder.rglob("*.safetensors") if path.with_suffix(".json").exists()
    )
    return [path for path in every if path.stem != "state" and not on_the_way(path)]


def on_the_way(path: Path) -> bool:
    """Whether a file is what was best on the way of a training in its folder."""
    beside = (path.with_name(f"{name}.safetensors") for name in ("state", "weights"))
    return path.stem == "best" and any(one.exists() for one in beside)


def trained_as(card: WeightsCard) -> str:
    """The combination of a card, as we spell it; "" where it has none that is known."""
    try:
        return str(parse(card.recipe.combination))
    except BenchError:
        return ""
