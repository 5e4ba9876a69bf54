"""Studies that train their own networks: one for each way that weights come to a schedule."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from htpbench.bench.claims import in_turn
from htpbench.bench.devices import device_lock
from htpbench.bench.runner import Runner
from htpbench.learning.recipes import Recipe
from htpbench.measuring.controls import STEP
from htpbench.network import weights
from htpbench.outside.progress import Tick
from htpbench.records.rows import Row
from htpbench.study.study import Study
from htpbench.systems.combination import Combination
from htpbench.training.train import train


@dataclass
class Network:
    """A network to train, and the combinations that are measured with its weights."""

    recipe: Recipe
    serves: list[Combination] = field(default_factory=list)

    @property
    def folder(self) -> str:
        """A name that every file system takes."""
        name = re.sub(r"[^\w.+-]", "_", self.recipe.combination)
        kind = ".any" if self.recipe.any_schedule else ""
        kind += f".every{self.recipe.every}" if self.recipe.every > 1 else ""
        return f"{name}{kind}.seed{self.recipe.seed}"


def networks(study: Study, data: tuple[str, ...], detections: str | None = None) -> list[Network]:
    """What the study trains on data; an unpruned network serves `same` and `transferred`."""
    training = study.training
    assert training is not None
    found: dict[Recipe, Network] = {}

    def recipe(source: Combination, seed: int, **more: Any) -> Recipe:
        return Recipe.of(
            str(source),
            data,
            steps=training.steps,
            batch=training.batch,
            rate=training.rate,
            detections=detections,
            seed=seed,
            **more,
        )

    for seed in training.seeds:
        for regime in training.regimes:
            for combination in study.parsed():
                source = combination if regime == "same" else combination.unpruned
                one = recipe(source, seed, any_schedule=regime == "any")
                served = found.setdefault(one, Network(one)).serves
                if combination not in served:
                    served.append(combination)
        if training.every_third:
            one = recipe(study.reference_combination().unpruned, seed, every=STEP)
            found[one] = Network(one)
    return list(found.values())


def sweep(runner: Runner, runs: Path, tick: Tick = lambda done, total, text: None) -> list[Row]:
    """Train what is missing below `runs`, then measure every combination with its networks.

    Any number of processes may do this at once: each network has one trainer. Finished networks
    are not trained again, an interrupted one resumes, and nothing that has a row is measured again.
    """
    detections = runner.study.evaluation.detections or runner.context.data.detections
    plan = networks(runner.study, tuple(training_sets(runner)), detections)
    rows: dict[str, list[Row]] = {}
    with runner.writer() as writer:

        def work(network: Network) -> None:
            out = runs / network.folder
            claim = f"training {out.resolve()}"

            def tell(text: str) -> None:
                runner.shared.renew(claim)  # training is long
                tick(len(rows), len(plan), text)

            with (
                runner.shared.hold(claim, wait=False),
                device_lock(runner.context.device, shared=True),
            ):
                path = trained(runner, network, out, tell)
            here = runner.under(weights=str(path), training=None)
            found: list[Row] = []
            third = network.recipe.every == STEP
            if third or runner.study.reference_combination().unpruned in network.serves:
                found += here.control(writer, tell)
            for combination in network.serves:
                found += here.measure(combination, writer, tell, many=False).values()
            rows[network.folder] = found
            tick(len(rows), len(plan), network.folder)

        in_turn(plan, work)
        ordered = [row for network in plan for row in rows[network.folder]]
        for name in runner.meters(many=True):  # whatever weights
            tell = partial(tick, len(plan), len(plan))
            runner.together(name, runner.study.parsed(), writer, tell)
        for combination in runner.study.parsed() if runner.meters(many=True) else ():
            ordered += runner.at_all_sizes(combination)
    return list({row.key: row for row in ordered}.values())


def training_sets(runner: Runner) -> dict[str, str]:
    """The study's data sets that have training clips, with their fingerprints; BenchError: none."""
    runner.context.data.takes("train")
    return {
        name: one.fingerprint
        for name, one in runner.context.sources.items()
        if "train" in one.splits
    }


def trained(runner: Runner, network: Network, out: Path, tell: Callable[[str], None]) -> Path:
    """The network's weights, trained now unless they are there, made in the same way."""
    path, recipe = out / "weights.safetensors", network.recipe
    if path.is_file():
        card = weights.read(path)[1]
        made = dict(card.get("recipe", {})) | {"data": recipe.plain()["data"]}
        if made == recipe.plain() and set(training_sets(runner).values()) <= {
            *card.get("fingerprints", {}).values()
        }:
            return path
    return train(
        recipe,
        out,
        runner.context.device,
        lambda step, steps, loss: tell(f"{out.name}: step {step} of {steps}, loss {loss:.4f}"),
    )
