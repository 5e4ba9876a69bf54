"""What a study measures with: its data, its weights, the conditions that a row is kept under."""

from __future__ import annotations

import copy
import hashlib
import inspect
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from htpbench.bench.environment import environment, machine_name
from htpbench.diffusion.sampler import Sampling
from htpbench.errors import BenchError
from htpbench.meters import accuracy, controls, cost, sampling, selection, timing
from htpbench.meters.evaluation import Evaluation, prepare
from htpbench.meters.prediction import Prediction, predict
from htpbench.motion import open_motion
from htpbench.motion.clip import Motion
from htpbench.network import weights
from htpbench.network.build import build
from htpbench.network.lifter import Lifter
from htpbench.records.measurement import Measurement
from htpbench.records.rows import row_key
from htpbench.study.study import Study
from htpbench.systems.cards import shipped
from htpbench.systems.combination import Combination
from htpbench.systems.registry import BACKBONES, PRUNERS

Watch = Callable[[Evaluation, np.ndarray, np.ndarray], None]  # rows (n,), poses (n, J, 3)
METERS = {
    "cost": cost,
    "time": timing,
    "sampling": sampling,
    "accuracy": accuracy,
    "selection": selection,
}
TIMED = ("time", "sampling")  # nothing else runs beside these; their numbers are the machine's


@dataclass
class Setting:
    """One study on one device; data and weights are opened once, when first asked for."""

    study: Study
    device: str = "cpu"
    seed: int = 0
    prepared: dict[tuple, Evaluation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_device(self.device)
        self.machine = machine_name()
        self.environment = environment(self.device)

    @cached_property
    def motion(self) -> Motion:
        """The data of the study's evaluation."""
        return open_motion(self.study.evaluation.data)

    @cached_property
    def trained(self) -> tuple[dict[str, torch.Tensor], dict[str, Any], dict[str, Any]]:
        """Tensors and card of the study's weights (random: none), and what a row says of them."""
        name = self.study.weights or ""
        if name == "random":
            card = {"schedule": "random"}
            return {}, card, {"weights": "random", "weights_seed": self.seed}
        path = weights.find(name)
        tensors, card = weights.read(path)
        if card.get("schedule") not in ("any", "same"):
            raise BenchError(
                f"weights {path}: the card does not say for which schedules they were trained; "
                "expected the weights.safetensors of `htpbench train`"
            )
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        told = {"weights": path.stem, "weights_sha256": digest}
        recipe = card.get("recipe", {})
        if "seed" in recipe:
            length = {name: recipe.get(name) for name in ("steps", "epochs", "batch", "rate")}
            told |= {"training": length, "training_seed": recipe["seed"]}
        return tensors, card, told

    def lineage(self, combination: Combination) -> str:
        """How the weights came to a combination: same, any, transferred or random."""
        card = self.trained[1]
        if card["schedule"] != "same":
            return card["schedule"]
        own = card.get("recipe", {}).get("combination") == str(combination)
        return "same" if own else "transferred"

    def evaluation(self, combination: Combination) -> Evaluation:
        """The windows for a combination's F and pipeline."""
        settings = self.study.evaluation
        key = combination.frames, self.pipeline(combination)
        if key not in self.prepared:
            self.prepared[key] = prepare(
                self.motion,
                *key,
                detections=settings.detections,
                cameras=settings.cameras,
                limit=settings.windows,
                stride=settings.stride,
                every=settings.downsample,
                consecutive=settings.spread == "consecutive",
            )
        return self.prepared[key]

    def lifter(self, combination: Combination) -> Lifter:
        """The combination with the study's weights."""
        tensors = self.trained[0]
        torch.manual_seed(self.seed)
        any_schedule = self.lineage(combination) == "any"
        lifter = self.built(combination, any_schedule)
        if tensors:
            weights.load_into(lifter, combination, tensors)
        return lifter

    def built(self, combination: Combination, any_schedule: bool = False) -> Lifter:
        """The combination as the study uses it, with fresh weights."""
        return build(combination, self.study.pipeline, any_schedule, self.masked(combination))

    def masked(self, combination: Combination) -> bool:
        """Whether frames are masked: where the study says so and any are dropped."""
        return self.study.masked and bool(combination.schedule)

    def under(self, **changes: Any) -> Self:
        """The same setting with fields of the study changed; what is prepared is shared."""
        other = copy.copy(self)
        other.study = self.study.model_copy(update=changes)
        if "weights" in changes:
            other.__dict__.pop("trained", None)
        return other

    def pipeline(self, combination: Combination) -> str:
        """How the combination is used here."""
        return combination.pipeline(self.study.pipeline)

    def conditions(self, combination: Combination, meter: str) -> dict[str, Any]:
        """How a meter measures a combination: what two rows must share to be compared."""
        told: dict[str, Any] = {"pipeline": self.pipeline(combination)}
        if self.masked(combination):
            told["masked"] = True  # rows of gathered networks do not have the field
        code = foreign_code(combination)
        if code:
            told["code"] = code
        if meter == "cost":
            return {**told, "batch": 1}
        sampled = self.sampled(combination)
        if meter in TIMED:
            if meter == "sampling":  # neither the rule nor the noise takes time
                kept = ("hypotheses", "iterations", "replay")
                told["sampling"] = {name: asdict(self.sampling)[name] for name in kept}
                told["flip"] = self.study.evaluation.flip
            if self.masked(self.study.anchor()):
                told["reference_masked"] = True
            return {
                **told,
                "environment": self.environment["id"],
                "device": self.environment["device"],
                "threads": self.environment["threads"],
                "dtype": "float32",
                "inputs": "random",
                "reference": str(self.study.anchor()),
                **self.study.timing.model_dump(),
            }
        told |= {**self.evaluation(combination).card, **self.trained[2]}
        told["trained"] = self.lineage(combination)
        if meter == "selection":  # of a first call
            return {**told, "noise_seed": self.seed} if sampled else told
        replayed = self.sampling.replay if sampled else told["pipeline"] == "seq2frame"
        reused = "reused" if replayed else "own"
        return {**told, **sampled, "flip": self.study.evaluation.flip, "flip_selection": reused}

    @property
    def sampling(self) -> Sampling:
        """How poses are drawn from a diffusion lifter."""
        return Sampling(**self.study.sampling.model_dump(), seed=self.seed)

    def sampled(self, combination: Combination) -> dict[str, Any]:
        """How a combination's poses are drawn; {} where one pass gives them."""
        if not BACKBONES.built(combination.backbone):
            return {}
        drawn = "noisy3d" in BACKBONES.load(combination.backbone).inputs
        return {"sampling": asdict(self.sampling)} if drawn else {}

    def keys(self, combination: Combination, meter: str) -> dict[str, str]:
        """The key of each metric that a meter has for a combination."""
        module, told = METERS[meter], self.conditions(combination, meter)
        if meter == "selection" and not combination.schedule:
            return {}
        if meter == "sampling" and not self.sampled(combination):
            return {}
        machine = self.machine if meter in TIMED else None
        name, metrics = str(combination), module.METRICS
        if meter == "accuracy":
            whole = told["pipeline"] == "seq2frame" or combination.recovered is None
            metrics = accuracy.measurable(
                self.evaluation(combination), whole, bool(self.sampled(combination))
            )
        if meter == "selection":
            pruner = combination.pruner.name  # type: ignore[union-attr]
            graph = PRUNERS.built(pruner) and selection.has_graph(PRUNERS.load(pruner))
            metrics = selection.measurable(self.evaluation(combination), graph)
        return {m: row_key(name, m, told, module.VERSION, machine) for m in metrics}

    def measurements(
        self, combination: Combination, meter: str, watch: Watch | None = None
    ) -> list[Measurement]:
        """Ask one meter about one combination; `watch` gets poses as they come and may raise."""
        if meter == "cost":
            with torch.device("meta"):
                return cost.measure(self.built(combination))
        if meter in TIMED:
            settings, anchor = self.study.timing.model_dump(), self.study.anchor()
            alone = combination == anchor
            timed = [anchor] if alone else [anchor, combination]
            if meter == "sampling" and not self.sampled(anchor):
                raise BenchError(
                    f"the speed-up of {combination} refers to {anchor}, which is no diffusion "
                    "lifter; name one as the study's `reference`"
                )
            lifters = [self.built(one) for one in timed]
            if meter == "time":
                return timing.measure(lifters, self.device, **settings)[-1]
            flip = self.study.evaluation.flip
            return sampling.measure(lifters, self.sampling, flip, self.device, **settings)
        evaluation = self.evaluation(combination)
        if meter == "selection":
            lifter = self.lifter(combination)
            return selection.measure(lifter, evaluation, self.device, self.seed)
        return accuracy.measure(self.prediction(combination, watch), evaluation)

    def prediction(self, combination: Combination, watch: Watch | None = None) -> Prediction:
        """The poses that accuracy is measured of, those of a diffusion lifter aggregated."""
        lifter, evaluation = self.lifter(combination), self.evaluation(combination)
        clips = evaluation.views, evaluation.windows, self.study.evaluation.flip, self.device
        watching = {"watch": partial(watch, evaluation)} if watch else {}
        return predict(lifter, *clips, sampling=self.sampling, **watching)

    def every_third(self, combination: Combination) -> list[Measurement]:
        """Accuracy at a third of the frame rate, poses interpolated."""
        lifter, evaluation = self.lifter(combination), self.evaluation(combination)
        flip = self.study.evaluation.flip
        found = controls.every_third(lifter, evaluation, flip, self.device, self.sampling)
        return accuracy.measure(found, evaluation)


def foreign_code(combination: Combination) -> dict[str, str]:
    """Digests of the source files of systems that do not come with the package.

    Whoever edits a pruner of their own gets new numbers, not the rows of the old one.
    """
    digests = {}
    for registry, name in combination.systems():
        if name not in shipped(registry.kind):
            source = Path(inspect.getfile(registry.load(name))).read_bytes()
            digests[name] = hashlib.sha256(source).hexdigest()[:12]
    return digests


def check_device(device: str) -> None:
    """BenchError for a device that torch does not have here, or that cannot be timed."""
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise BenchError(f"device {device!r} cannot be used here; try cpu, cuda or cuda:1")
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise BenchError(
            f"device {device!r} cannot be used here: {reason}; try cpu, or where it worked before "
            "the same command again, which goes on with what is left"
        ) from error
