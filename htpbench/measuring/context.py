"""What meters measure with: a study's data, weights and networks on one device."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch

from htpbench.datasets import open_data
from htpbench.diffusion.sampler import Sampling
from htpbench.engines import Engine
from htpbench.errors import BenchError
from htpbench.measuring.engined import Engined
from htpbench.measuring.environment import check_device, environment, exact_products, machine_name
from htpbench.measuring.evaluation import Evaluation, prepare
from htpbench.measuring.official import official, usual_protocol
from htpbench.motion.dataset import Dataset, join
from htpbench.network import weights
from htpbench.network.build import build
from htpbench.network.lifter import Lifter
from htpbench.records.conditions import beyond
from htpbench.study.study import Study
from htpbench.systems.combination import Combination
from htpbench.systems.registry import BACKBONES, ENGINES, Registry, digest

T = TypeVar("T")


class Weights(NamedTuple):
    """Tensors and card of a file of weights (random: none), and what a row says of them."""

    tensors: dict[str, torch.Tensor]
    card: dict[str, Any]
    conditions: dict[str, Any]


@dataclass
class Context:
    """One study on one device; data and weights are opened once, when first asked for.

    `opened` holds them by all that they depend on, so that contexts may share it.
    """

    study: Study
    device: str = "cpu"
    seed: int = 0
    process: int = 0  # of those in which a meter measures many combinations at once
    opened: dict[tuple, Any] = field(default_factory=dict)
    kept: Path | None = None  # of files that several processes of one measurement open

    def __post_init__(self) -> None:
        check_device(self.device)
        exact_products(self.device)
        self.machine = machine_name(self.device)
        self.environment = environment(self.device)

    def under(self, **changes: Any) -> Context:
        """The same context with fields of the study changed; what is opened is shared."""
        other = copy.copy(self)
        other.study = self.study.model_copy(update=changes)
        return other

    def once(self, key: tuple, make: Callable[[], T]) -> T:
        """What is opened under a key, made when it is first asked for."""
        if key not in self.opened:
            self.opened[key] = make()
        return self.opened[key]

    @property
    def sources(self) -> dict[str, Dataset]:
        """Each data set of the study's evaluation, by what names it."""
        named = self.study.evaluation.sources
        return {one: self.once(("data", one), partial(open_data, one)) for one in named}

    @property
    def data(self) -> Dataset:
        """The data of the study's evaluation, joined where they are several."""
        sources = self.sources
        return self.once(("data", *sources), lambda: join([*sources.values()]))

    def evaluation(self, combination: Combination) -> Evaluation:
        """The windows for a combination's F and pipeline."""
        settings = self.study.evaluation
        how = combination.frames, self.pipeline(combination)
        cut = settings.model_dump(exclude={"flip"})  # flip says how the windows are lifted
        protocol, unit = self.protocol(combination), self.unit(combination)
        return self.once(
            ("evaluation", *cut.items(), *how, protocol, unit),
            lambda: prepare(
                self.data,
                *how,
                detections=settings.detections,
                cameras=settings.cameras,
                limit=settings.windows,
                stride=settings.stride,
                every=settings.downsample,
                consecutive=settings.spread == "consecutive",
                protocol=protocol,
                unit=unit,
            ),
        )

    def protocol(self, combination: Combination) -> str:
        """The study's evaluation protocol, else the official one of the backbone on this data.

        Networks of one backbone are compared under one: that of pruning where any is pruned.
        """
        if self.study.evaluation.protocol is not None:
            return self.study.evaluation.protocol
        listed = [one for one in self.study.parsed() if one.schedule]
        pruned = {one.backbone for one in (*listed, *self.study.searched())}
        changed = combination.backbone in pruned
        return usual_protocol(self.data.layout, combination.card, changed)

    def unit(self, combination: Combination) -> str:
        """Of what the network says on this data, as its official code has it."""
        return official(self.data.layout, combination.card).unit

    def weights(self, combination: Combination) -> Weights:
        """The study's weights for a combination; BenchError where its card does not say enough."""
        name = self.study.weights_of(combination)
        return self.once(("weights", name, self.seed), lambda: opened(name, self.seed))

    def regime(self, combination: Combination) -> str:
        """How the weights came to a combination: same, any, transferred or random."""
        card = self.weights(combination).card
        if card["schedule"] != "same":
            return card["schedule"]
        own = card.get("recipe", {}).get("combination") == str(combination)
        return "same" if own else "transferred"

    def lifter(self, combination: Combination) -> Lifter:
        """The combination with the study's weights."""
        tensors, card, _ = self.weights(combination)
        told, said = card.get("unit", "m"), self.unit(combination)
        own = "recipe" in card and "source" not in card
        if own and told != said:  # whoever trained elsewhere did as the official code
            raise BenchError(
                f"the weights of {combination} say poses in {told}, and this data is scored in "
                f"{said}; take weights that were trained on data of its kind"
            )
        lifter = self.built(combination, self.regime(combination) == "any")
        if tensors:
            weights.load_into(lifter, combination, tensors)
        return lifter

    @property
    def engine(self) -> Engine:
        """The study's engine; BenchError where it cannot run in the study's precision here."""
        name, precision = self.study.engine, self.study.precision
        engine = ENGINES.load(name)()
        self.once(("engine", name, precision), lambda: engine.check(name, precision, self.device))
        return engine

    @property
    def ran_by(self) -> dict[str, str]:
        """The study's engine and precision, as rows say them; {}: torch as it is.

        An engine with its release, or with a digest of code that does not come with the package.
        """
        name = self.study.engine
        foreign = foreign_code([(ENGINES, name)]).get(name, "")
        told = " ".join(filter(None, [name, self.engine.version(), foreign]))
        return beyond(engine=(told, "eager"), dtype=(self.study.precision, "float32"))

    def run(self, lifter: Lifter) -> Lifter:
        """The lifter as the study's engine runs it."""
        if not self.ran_by:
            return lifter
        return Engined(lifter, self.engine, self.study.precision, self.kept)

    def built(self, combination: Combination, any_schedule: bool = False) -> Lifter:
        """The combination as the study uses it, with fresh weights, the same each time."""
        torch.manual_seed(self.seed)
        return build(combination, self.study.pipeline, any_schedule, self.masked(combination))

    def masked(self, combination: Combination) -> bool:
        """Whether frames are masked: where the study says so and any are dropped."""
        return self.study.masked and bool(combination.schedule)

    def pipeline(self, combination: Combination) -> str:
        """How the combination is used here."""
        return combination.pipeline(self.study.pipeline)

    @property
    def sampling(self) -> Sampling:
        """How poses are drawn from a diffusion lifter."""
        return Sampling(**self.study.sampling.model_dump(), seed=self.seed)

    def sampled(self, combination: Combination) -> dict[str, Any]:
        """How a combination's poses are drawn; {} where one pass gives them."""
        drawn = "noisy3d" in BACKBONES.load(combination.backbone).inputs
        sampling = asdict(self.sampling)
        del sampling["rows"]  # no number depends on them
        return {"sampling": sampling} if drawn else {}

    def code(self, combination: Combination) -> dict[str, str]:
        """What tells the code of a combination's imported parts apart."""
        return foreign_code(combination.systems())

    def conditions(self, combination: Combination) -> dict[str, Any]:
        """What holds whatever is measured of a combination."""
        return {
            "pipeline": self.pipeline(combination),
            **beyond(masked=(self.masked(combination), False), code=(self.code(combination), {})),
        }

    def scored(self, combination: Combination) -> dict[str, Any]:
        """On what windows, with what weights and on what kind of device a combination is measured.

        A GPU sums in another order than a CPU.
        """
        card, weights = self.evaluation(combination).card, self.weights(combination)
        on = beyond(on=(self.device.partition(":")[0], "cpu"))
        return {**card, **weights.conditions, "trained": self.regime(combination), **on}


def opened(name: str, seed: int) -> Weights:
    """Weights by a shipped name or a path; "random": drawn by the seed."""
    if name == "random":
        drawn = {"weights": "random", "weights_seed": seed}
        return Weights({}, {"schedule": "random"}, drawn)
    path = weights.find(name)
    tensors, card = weights.read(path)
    weights.schedule(path, card)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    conditions = {"weights": path.stem, "weights_sha256": digest}
    recipe = card.get("recipe", {})
    if "seed" in recipe:
        length = {name: recipe.get(name) for name in ("steps", "epochs", "batch", "rate")}
        length |= {"minutes": recipe["minutes"]} if recipe.get("minutes") else {}
        conditions |= {"training": length, "training_seed": recipe["seed"]}
    return Weights(tensors, card, conditions)


def foreign_code(systems: list[tuple[Registry, str]]) -> dict[str, str]:
    """Digests of the source files of systems that do not come with the package.

    Whoever edits a pruner of their own gets new numbers, not the rows of the old one.
    """
    return {
        name: digest(registry.load(name))
        for registry, name in systems
        if name not in registry.shipped
    }
