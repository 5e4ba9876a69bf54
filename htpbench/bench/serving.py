"""Which files of a folder of weights serve which combinations, by what their cards say."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from htpbench.errors import BenchError
from htpbench.network.weights import WeightsCard
from htpbench.outside import files
from htpbench.systems.combination import Combination, parse


def serving(
    folders: Iterable[Path], wanted: Iterable[Combination]
) -> tuple[dict[str, str], dict[Path, str]]:
    """Combination -> its file; and the files that serve none of them, each with what it is of.

    A file serves the combination that it was trained as, and one that was trained for any schedule
    serves all of its network. BenchError for a folder that is none.
    """
    cards = {path: read(path) for folder in folders for path in weights_in(folder)}
    found: dict[str, str] = {}
    used: set[Path] = set()
    for one in wanted:
        told = {path: card for path, card in cards.items() if card.schedule}
        own = [path for path, card in told.items() if trained_as(card) == str(one)]
        any_of = [
            path
            for path, card in told.items()
            if card.schedule == "any" and trained_as(card) == str(one.unpruned)
        ]
        if path := next(iter([*own, *any_of]), None):
            found[str(one)] = str(path)
            used |= {*own, *any_of}
    others = {path: trained_as(card) or "no combination" for path, card in cards.items()}
    return found, {path: told for path, told in others.items() if path not in used}


def weights_in(folder: Path) -> list[Path]:
    """The files with a card below a folder; what was best on the way stands behind the end.

    The state of a training that is under way is none.
    """
    if not folder.is_dir():
        raise BenchError(f"{folder} is no folder; expected one of converted checkpoints")
    every = (path for path in folder.rglob("*.safetensors") if path.with_suffix(".json").exists())
    finished = (path for path in every if path.stem != "state")
    return sorted(finished, key=lambda path: (path.stem == "best", path))


def read(path: Path) -> WeightsCard:
    """What a file's card says; BenchError where it says nothing that can be read."""
    card = path.with_suffix(".json")
    try:
        return WeightsCard.model_validate(files.load_json(card))
    except (BenchError, ValidationError) as error:
        raise BenchError(
            f"{card}: the card of {path.name} cannot be read; convert the checkpoint again with "
            "`htpbench weights convert`, or take the file away"
        ) from error


def trained_as(card: WeightsCard) -> str:
    """The combination of a card, as we spell it; "" where it has none that is known."""
    try:
        return str(parse(card.recipe.combination))
    except BenchError:
        return ""
