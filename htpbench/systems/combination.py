"""The one string that names a network: backbone, pruner, schedule, recoverer.

    BACKBONE[.VARIANT]-FRAMES[+PRUNER[~key=value...]:r@b[,r@b...]][+RECOVERER[~key=value...][:f]]

Parsing checks syntax and cards only, without torch; parsing then formatting is canonical.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from htpbench.errors import BenchError, unknown
from htpbench.systems.cards import BackboneCard, Scalar
from htpbench.systems.registry import BACKBONES, PRUNERS, RECOVERERS, Registry

GRAMMAR = "BACKBONE[.VARIANT]-FRAMES[+PRUNER:r@b[,r@b...]][+RECOVERER[:f]]"
NUMBER = re.compile(r"0|[1-9][0-9]{0,4}")
LONGEST = 500  # characters, so that a refusal can quote the string


@dataclass(frozen=True)
class Part:
    """A pruner or a recoverer with its options away from their defaults, sorted by key."""

    name: str
    options: tuple[tuple[str, Scalar], ...] = ()

    def __str__(self) -> str:
        return self.name + "".join(f"~{key}={spell(value)}" for key, value in self.options)


@dataclass(frozen=True)
class Combination:
    """A parsed combination; `str()` gives its one spelling."""

    backbone: str
    variant: str
    frames: int  # F
    pruner: Part | None = None
    schedule: tuple[tuple[int, int], ...] = ()  # (r, b): keep r frames before block b
    recoverer: Part | None = None
    recovered: int | None = None  # f; None: all F

    def __str__(self) -> str:
        variant = "" if self.variant == self.card.default else f".{self.variant}"
        text = f"{self.backbone}{variant}-{self.frames}"
        if self.pruner:
            text += f"+{self.pruner}:" + ",".join(f"{r}@{b}" for r, b in self.schedule)
        if self.recoverer:
            text += f"+{self.recoverer}"
        return text if self.recovered is None else f"{text}:{self.recovered}"

    @property
    def card(self) -> BackboneCard:
        """The backbone's card."""
        return BACKBONES.card(self.backbone)  # type: ignore[return-value]

    @property
    def unpruned(self) -> Combination:
        """The same backbone without pruning."""
        return Combination(self.backbone, self.variant, self.frames)

    def lengths(self) -> list[int]:
        """Frames that each block sees."""
        kept = {b: r for r, b in self.schedule}
        lengths, present = [], self.frames
        for block in range(self.card.variants[self.variant].blocks):
            present = kept.get(block, present)
            lengths.append(present)
        return lengths

    def pipeline(self, asked: str | None = None) -> str:
        """seq2seq or seq2frame: what was asked, else f < F, else a recoverer, else the card.

        A backbone of one pose is never seq2seq.
        """
        if asked is not None:
            if asked not in ("seq2seq", "seq2frame"):
                raise unknown("pipeline", asked, ["seq2seq", "seq2frame"])
            if asked == "seq2seq" and self.card.one_pose:
                raise BenchError(f"{self}: {self.backbone} gives one pose a clip, not seq2seq")
            if asked == "seq2seq" and self.pruner and not self.recoverer:
                raise BenchError(f"{self}: seq2seq needs a recoverer; add +tri or +tra")
            return asked
        if self.recovered is not None:
            return "seq2frame"
        if self.recoverer is not None:
            return "seq2frame" if self.card.one_pose else "seq2seq"
        return "seq2frame" if self.pruner else self.card.pipeline

    def poses(self, asked: str | None = None) -> int:
        """How many poses of a pass count: all F, or one in seq2frame."""
        return self.frames if self.pipeline(asked) == "seq2seq" else 1

    def systems(self) -> list[tuple[Registry, str]]:
        """The backbone, pruner and recoverer by registry and name."""
        parts = [(BACKBONES, self.backbone)]
        parts += [(PRUNERS, self.pruner.name)] if self.pruner else []
        parts += [(RECOVERERS, self.recoverer.name)] if self.recoverer else []
        return parts


def parse(text: str) -> Combination:
    """Read a combination; BenchError says what was wrong and what was expected."""
    if len(text) > LONGEST:
        raise wrong(f"{text[:40]}...", f"{len(text)} characters", f"at most {LONGEST}: {GRAMMAR}")
    head, *rest = text.split("+")
    combination = parse_backbone(text, head)
    if rest and ("@" in rest[0] or rest[0].split(":")[0].split("~")[0] in PRUNERS.names()):
        combination = with_pruner(text, combination, rest.pop(0))
    if rest:
        combination = with_recoverer(text, combination, rest.pop(0))
    if rest:
        raise wrong(text, f"{'+'.join(rest)!r} is left over", GRAMMAR)
    return combination


def parse_backbone(text: str, head: str) -> Combination:
    """`BACKBONE[.VARIANT]-FRAMES`."""
    named, dash, count = head.rpartition("-")
    if not dash:
        raise wrong(text, "the number of frames is missing", "BACKBONE-FRAMES, as in mixste-243")
    name, dot, variant = named.partition(".")
    if name not in BACKBONES.names():
        raise unknown("backbone", name, BACKBONES.names())
    card = BACKBONES.card(name)
    if not isinstance(card, BackboneCard):
        raise BenchError(
            f"the backbone {name!r} needs a class attribute `card`: a BackboneCard; or a default "
            "of its constructor's `blocks`"
        )
    if dot and variant not in card.variants:
        raise unknown(f"variant of {name}", variant, card.variants)
    frames = number(text, count, "the number of frames")
    if frames < 1:
        raise wrong(text, "F = 0", "at least one frame")
    if frames % card.multiple_of:
        raise wrong(text, f"F = {frames}", f"for {name} a multiple of {card.multiple_of}")
    variant = variant or card.default
    only = card.variants[variant].frames
    if only not in (None, frames):
        fits = f"F = {only}, the tokens that {name}.{variant} is built for (docs/lifters.md)"
        raise wrong(text, f"F = {frames}", fits)
    return Combination(name, variant, frames)


def with_pruner(text: str, combination: Combination, part: str) -> Combination:
    """`PRUNER[~key=value...]:r@b[,r@b...]`: b rises and is a block, r falls below F."""
    named, colon, stages = part.partition(":")
    pruner = parse_part(text, PRUNERS, named)
    if not colon or not stages:
        raise wrong(text, f"{named} has no schedule", f"{named}:r@b, for example {named}:81@3")
    schedule: list[tuple[int, int]] = []
    blocks = combination.card.variants[combination.variant].blocks
    if not blocks:
        nowhere = f"{combination.backbone} has no block before which frames can be pruned"
        raise wrong(text, nowhere, f"{combination} alone")
    for stage in stages.split(","):
        kept, at, before = stage.partition("@")
        if not at:
            raise wrong(text, f"{stage!r} is no stage", "r@b: keep r frames, pruned before block b")
        r, b = number(text, kept, "r"), number(text, before, "b")
        last_r, last_b = schedule[-1] if schedule else (combination.frames, -1)
        if not 1 <= r < last_r:
            raise wrong(text, f"r = {r} after {last_r} frames", f"r from 1 to {last_r - 1}")
        if b <= last_b:
            raise wrong(text, f"b = {b} after b = {last_b}", "b rising from stage to stage")
        if not combination.card.first <= b < blocks:
            allowed = f"b from {combination.card.first} to {blocks - 1}"
            raise wrong(text, f"b = {b}", f"{allowed} for {combination.backbone}")
        schedule.append((r, b))
    return replace(combination, pruner=pruner, schedule=tuple(schedule))


def with_recoverer(text: str, combination: Combination, part: str) -> Combination:
    """`RECOVERER[~key=value...][:f]`."""
    named, colon, count = part.partition(":")
    recoverer = parse_part(text, RECOVERERS, named)
    if combination.pruner is None:
        raise wrong(text, f"{named} has nothing to recover", f"a pruner before +{named}")
    if not colon:
        return replace(combination, recoverer=recoverer)
    recovered = number(text, count, "f")
    if not 1 <= recovered <= combination.frames:
        raise wrong(text, f"f = {recovered}", f"f from 1 to F = {combination.frames}")
    whole = recovered == combination.frames
    return replace(combination, recoverer=recoverer, recovered=None if whole else recovered)


def parse_part(text: str, registry: Registry, part: str) -> Part:
    """`NAME[~key=value...]`; defaults are dropped."""
    name, *pairs = part.split("~")
    if name not in registry.names():
        raise unknown(registry.kind, name, registry.names())
    defaults = registry.card(name).options
    options: dict[str, Scalar] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if key not in defaults:
            raise unknown(f"option of {name}", key, defaults)
        if key in options or not equals:
            raise wrong(text, f"option {pair!r}", f"~{key}=value, once")
        options[key] = read_option(text, key, value, defaults[key])
    changed = {key: value for key, value in options.items() if value != defaults[key]}
    return Part(name, tuple(sorted(changed.items())))


def read_option(text: str, key: str, value: str, default: Scalar) -> Scalar:
    """An option's value, in the type of its default."""
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[value]
        if isinstance(default, (int, float)):
            if not re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,9})?", value):
                raise ValueError(value)
            return type(default)(value)
    except (KeyError, ValueError):
        kind = type(default).__name__
        raise wrong(text, f"{key}={value}", f"a value of type {kind}") from None
    return value


def spell(value: Scalar) -> str:
    """The one spelling of an option's value."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value + 0.0:.9f}".rstrip("0").rstrip(".")  # + 0.0: no minus before 0
    return str(value)


def number(text: str, digits: str, what: str) -> int:
    """A whole number of at most five digits."""
    if not NUMBER.fullmatch(digits):
        raise wrong(text, f"{what} is {digits!r}", "a whole number below 100000")
    return int(digits)


def wrong(text: str, what: str, expected: str) -> BenchError:
    """The error for a combination that cannot be read."""
    return BenchError(f"combination {text!r}: {what}; expected {expected}")
