"""Combinations through their meters, cheapest first; what has a row is not measured again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from htpbench import weights
from htpbench.combination import Combination
from htpbench.environment import commit, environment, machine_name
from htpbench.errors import BenchError, NotBuilt
from htpbench.lifter import Lifter, build
from htpbench.meters import accuracy, cost, selection, timing
from htpbench.motion import open_motion
from htpbench.motion.clip import Motion
from htpbench.protocols import Measurement
from htpbench.rows import Row, Store, Writer, latest, row_key
from htpbench.study import Study

METERS = {"cost": cost, "time": timing, "accuracy": accuracy, "selection": selection}
CONTROL = "control: mean pose"  # stands where a combination stands; it is no network
Tell = Callable[[str], None]


@dataclass
class Bench:
    """One study on one device: its conditions, its data opened once, its store of rows."""

    study: Study
    results: Path
    device: str = "cpu"
    seed: int = 0
    prepared: dict[tuple, accuracy.Evaluation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_device(self.device)
        self.machine = machine_name()
        self.environment = environment(self.device)
        self.commit = commit()
        self.folder = self.results / self.machine

    def writer(self) -> Writer:
        """The file that this run appends to."""
        return Store(self.folder).writer(self.study.name, self.environment)

    @cached_property
    def held(self) -> dict[str, Row]:
        """The row that holds for each key; read once, when no other sweep can write any more."""
        return latest(Store(self.folder).read())

    @cached_property
    def motion(self) -> Motion:
        """The data of the study's evaluation."""
        return open_motion(self.study.evaluation.data)

    @cached_property
    def trained(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Tensors of the study's weights (none: random) and what a row says of them."""
        name = self.study.weights or "random"
        if name == "random":
            return {}, {"weights": "random", "trained": "random", "weights_seed": self.seed}
        path = weights.find(name)
        tensors, card = weights.read(path)
        if card.get("schedule") not in ("any", "same"):
            raise BenchError(
                f"weights {path}: the card does not say for which schedules they were trained; "
                "expected the weights.safetensors of `htpbench train`"
            )
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        told = {"weights": path.stem, "weights_sha256": digest, "trained": card["schedule"]}
        return tensors, told

    def evaluation(self, combination: Combination) -> accuracy.Evaluation:
        """The windows for a combination's F and pipeline."""
        settings = self.study.evaluation
        key = combination.frames, combination.pipeline()
        if key not in self.prepared:
            self.prepared[key] = accuracy.prepare(
                self.motion,
                *key,
                detections=settings.detections,
                cameras=settings.cameras,
                limit=settings.windows,
                stride=settings.stride,
            )
        return self.prepared[key]

    def lifter(self, combination: Combination) -> Lifter:
        """The combination with the study's weights."""
        tensors, told = self.trained
        torch.manual_seed(self.seed)
        lifter = build(combination, any_schedule=told["trained"] == "any")
        if tensors:
            weights.load_into(lifter, combination, tensors)
        return lifter

    def conditions(self, combination: Combination, meter: str) -> dict[str, Any]:
        """How a meter measures a combination: what two rows must share to be compared."""
        pipeline = combination.pipeline()
        if meter == "cost":
            return {"pipeline": pipeline, "batch": 1}
        if meter == "time":
            return {
                "pipeline": pipeline,
                "device": self.environment["device"],
                "threads": self.environment["threads"],
                "dtype": "float32",
                "inputs": "random",
                "reference": str(self.study.anchor()),
                **self.study.timing.model_dump(),
            }
        told = {**self.evaluation(combination).card, **self.trained[1]}
        if meter == "selection":
            return told
        reused = "reused" if pipeline == "seq2frame" else "own"
        return {**told, "flip": self.study.evaluation.flip, "flip_selection": reused}

    def keys(self, combination: Combination, meter: str) -> dict[str, str]:
        """The key of each metric that a meter has for a combination."""
        module, told = METERS[meter], self.conditions(combination, meter)
        if meter == "selection" and not combination.schedule:
            return {}
        machine = self.machine if meter == "time" else None
        name = str(combination)
        return {m: row_key(name, m, told, module.VERSION, machine) for m in module.METRICS}

    def measurements(self, combination: Combination, meter: str) -> list[Measurement]:
        """Ask one meter about one combination."""
        if meter == "cost":
            with torch.device("meta"):
                return cost.measure(build(combination))
        if meter == "time":
            settings, anchor = self.study.timing.model_dump(), self.study.anchor()
            alone = combination == anchor
            lifters = [build(anchor)] + ([] if alone else [build(combination)])
            return timing.measure(lifters, self.device, **settings)[-1]
        lifter, evaluation = self.lifter(combination), self.evaluation(combination)
        if meter == "selection":
            return selection.measure(lifter, evaluation, self.device)
        flip = self.study.evaluation.flip
        errors = accuracy.evaluate(lifter, evaluation, flip, self.device)
        return accuracy.summarise(errors, tuple(clip.name for clip in evaluation.views.clips))

    def measure(
        self, combination: Combination, writer: Writer, tell: Tell = lambda text: None
    ) -> dict[str, Row]:
        """All metrics of a combination, from the store or measured now; a failure is a row too."""
        found: dict[str, Row] = {}
        for meter in METERS:
            if meter not in self.study.meters:
                continue
            keys = self.keys(combination, meter)
            if any(key not in self.held or self.held[key].status != "ok" for key in keys.values()):
                tell(f"{combination}: {meter}")
                self.write(writer, combination, meter, keys)
            found |= {metric: self.held[key] for metric, key in keys.items() if key in self.held}
        return found

    def write(
        self, writer: Writer, combination: Combination, meter: str, keys: dict[str, str]
    ) -> None:
        """Measure, then append a row for each metric that has no ok row yet."""
        told = self.conditions(combination, meter)
        try:
            measured = {one.metric: one for one in self.measurements(combination, meter)}
            status, reason = "ok", None
        except NotBuilt as error:
            measured, status, reason = {}, "unsupported", str(error)
        except BenchError:
            raise  # the user's to mend, and nothing to do with this combination alone
        except Exception as error:  # one broken combination must not end a sweep
            measured, status, reason = {}, "failed", f"{type(error).__name__}: {error}"
        for metric, key in keys.items():
            if key in self.held and self.held[key].status == "ok":
                continue
            one = measured.get(metric)
            self.append(writer, str(combination), metric, key, told, one, status, reason)

    def append(
        self,
        writer: Writer,
        name: str,
        metric: str,
        key: str,
        told: dict[str, Any],
        one: Measurement | None,
        status: str = "ok",
        reason: str | None = None,
    ) -> None:
        """One row, on the disk before it counts."""
        row = Row(
            key=key,
            study=self.study.name,
            combination=name,
            metric=metric,
            value=one.value if one else None,
            unit=one.unit if one else "",
            low=one.low if one else None,
            high=one.high if one else None,
            samples=one.samples if one else None,
            axis=one.axis if one else None,
            status=status,
            reason=one.note if one else reason,
            conditions=told,
            environment=self.environment["id"],
            commit=self.commit,
        )
        writer.append(row)
        self.held[key] = row

    def control(self, writer: Writer) -> list[Row]:
        """The mean pose of the training views on the anchor's windows; [] without accuracy."""
        if "accuracy" not in self.study.meters:
            return []
        evaluation = self.evaluation(self.study.anchor())
        told = {**evaluation.card, "control": "mean pose of the training views"}
        keys = {m: row_key(CONTROL, m, told, accuracy.VERSION) for m in accuracy.METRICS}
        if not set(keys.values()) <= self.held.keys():
            names = tuple(clip.name for clip in evaluation.views.clips)
            for one in accuracy.summarise(accuracy.trivial(evaluation), names):
                if keys[one.metric] not in self.held:
                    self.append(writer, CONTROL, one.metric, keys[one.metric], told, one)
        return [self.held[key] for key in keys.values()]


def run(bench: Bench, combinations: Iterable[Combination], tell: Tell) -> list[Row]:
    """Measure combinations one after the other."""
    with bench.writer() as writer:
        rows = bench.control(writer)
        for combination in combinations:
            rows += bench.measure(combination, writer, tell).values()
    return rows


def check_device(device: str) -> None:
    """BenchError for a device that torch does not have here."""
    try:
        torch.zeros(1, device=device).item()  # meta has no values
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise BenchError(f"device {device!r} cannot be used here: {reason}; try cpu") from error


def count(
    combinations: Iterable[Combination], bench: Bench | None, tell: Tell
) -> tuple[list[dict[str, Any]], list[str]]:
    """Costs as plain numbers, and the combinations left out because a part is not built.

    With a bench its rows are used and extended; without one nothing is kept.
    """
    counted, left_out = [], []
    with bench.writer() if bench else nullcontext() as writer:
        for combination in combinations:
            tell(str(combination))
            if combination.missing():
                left_out.append(str(combination))
                continue
            if bench and writer:
                rows = bench.measure(combination, writer).values()
                found = {row.metric: (row.value, row.reason) for row in rows}
            else:
                with torch.device("meta"):
                    measured = cost.measure(build(combination))
                found = {one.metric: (one.value, one.note) for one in measured}
            numbers = {name.partition(".")[2]: value for name, (value, _) in found.items()}
            note = next((note for _, note in found.values() if note), None)
            counted.append({"combination": str(combination), **numbers, "note": note})
    return counted, left_out
