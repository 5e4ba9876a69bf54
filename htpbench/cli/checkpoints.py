"""The weights that `reproduce` measures with: found in a folder, or trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from htpbench.cli.shared import err, warn

if TYPE_CHECKING:
    from htpbench.cli.tables import Asked
    from htpbench.study.study import Study
    from htpbench.systems.combination import Combination


def found_weights(tables: list[Study], folder: Path | None, runs: Path) -> dict[str, str]:
    """Combination -> its file, of a folder and of what was trained; says what is missing."""
    from htpbench.bench.reproduction import unserved
    from htpbench.bench.serving import serving

    folders = [folder] if folder else []
    folders += [runs] if runs.is_dir() else []
    wanted = dict.fromkeys(one for study in tables for one in study.parsed())
    found, unused = serving(folders, wanted)
    for path, why in unused.items():
        warn(f"{path} serves no row here: {why}")
    for one in unserved(tables, found):
        warn(f"no weights of {one}: {remedy(one)}")
    return found


def remedy(combination: Combination) -> str:
    """Where the weights of a combination come from."""
    from htpbench.systems.registry import BACKBONES, PRUNERS

    pruner = combination.pruner
    card = PRUNERS.card(pruner.name) if pruner else BACKBONES.card(combination.backbone)
    if card.source is None:
        return "no checkpoint of it is known; --train trains it"
    convert = f"htpbench weights convert FILE --as {combination} --out FOLDER/NAME.safetensors"
    return f"a checkpoint of {card.source}, brought in by `{convert}`, or --train"


def train_missing(asked: Asked, tables: list[Study], weights: dict[str, str]) -> None:
    """Train what no weights serve, one after the other, each after its recipe."""
    from htpbench.bench.reproduction import unserved
    from htpbench.learning.recipes import Recipe
    from htpbench.outside.progress import bar
    from htpbench.training.regimes import Network
    from htpbench.training.train import train, usual_precision

    data, precision = tuple(asked.data or ()), usual_precision(asked.device)
    for one in unserved(tables, weights):
        recipe = Recipe.of(str(one), data, seed=asked.seed, precision=precision)
        folder = asked.runs / Network(recipe).folder
        err.print(f"training {one}", highlight=False, markup=False, soft_wrap=True)
        with bar(err, small=True) as tick:
            path = train(
                recipe, folder, asked.device, lambda i, n, loss: tick(i, n, f"loss {loss:.4f}")
            )
        weights[str(one)] = str(path)
