"""What there is to choose from: networks with weights, schedules of them, engines, precisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

from htpbench.errors import BenchError, unknown
from htpbench.network import weights
from htpbench.systems.combination import Combination, Part, parse
from htpbench.systems.refusals import WHOLLY, refusals
from htpbench.systems.registry import BACKBONES, ENGINES

# What prunes and recovers at the least cost, from gentle to brutal: of so many frames one stays,
# from the first block that may be pruned (0) or from the middle one on (1).
PRUNER, RECOVERER = "tps", "tri"
LADDER = (((2, 1),), ((2, 0),), ((2, 0), (3, 1)), ((3, 0),), ((3, 0), (9, 1)), ((9, 0),))


@dataclass(frozen=True)
class Turn:
    """Networks of one file of weights under one engine: measured together."""

    weights: str
    engine: str
    precision: str
    combinations: list[Combination]


def turns(
    names: Sequence[str], engines: Sequence[str], precisions: Sequence[str], device: str
) -> list[Turn]:
    """All that there is to choose from; see `networks` and `runs`."""
    trained, each = networks(names), runs(engines, precisions, device)
    listed = {name: schedules(one) for name, one in trained.items()}
    used = {one.pipeline(): name for name, some in listed.items() for one in some}
    if len(used) > 1:
        raise BenchError(
            "a pass gives all poses of a clip in seq2seq and one in seq2frame, so that no budget is"
            f" the same for both: leave out {' or '.join(used.values())} and those of its kind"
        )
    return [Turn(a, *b, listed[a]) for a, b in product(listed, each)]


def networks(names: Sequence[str]) -> dict[str, Combination]:
    """What each of the weights was trained as; by default of all that are shipped for one pass.

    BenchError where a card does not say it, or poses are drawn by many passes.
    """
    found = {}
    for name in names or weights.shipped():
        if name == "random":
            raise BenchError("random weights say nothing of a network's error; name trained ones")
        _, card = weights.read_card(weights.find(name))
        if not card.recipe.combination:
            raise BenchError(f"weights {name}: their card does not say of which combination")
        network = parse(card.recipe.combination)
        if "noisy3d" not in BACKBONES.load(network.backbone).inputs:
            found[name] = network
        elif names:
            raise BenchError(f"weights {name}: {network} draws poses by many passes; leave it out")
    return found


def schedules(trained: Combination) -> list[Combination]:
    """A network whole, as it was trained, and what the ladder makes of it, each once.

    Where weights serve the lengths alone that they were trained for, as it was trained; not so
    where a pass then gives one pose and of the whole network all.
    """
    whole = trained.unpruned
    alike = [whole, *([trained] if trained.pipeline() == whole.pipeline() else [])]
    recoverer = RECOVERER if whole.pipeline() == "seq2seq" else None  # a pass gives as many poses
    refused = refusals(whole.backbone, PRUNER, recoverer)
    if "any schedule" in refused:
        return [trained]
    if WHOLLY in refused:
        return list(dict.fromkeys(alike))
    first, blocks = whole.card.first, whole.card.variants[whole.variant].blocks
    before = first, first + (blocks - first) // 2
    pruned = replace(whole, pruner=Part(PRUNER), recoverer=recoverer and Part(recoverer))
    ladder = [
        tuple((whole.frames // share | 1, before[at]) for share, at in stages) for stages in LADDER
    ]
    possible = (one for one in ladder if falls(whole.frames, one))
    return list(dict.fromkeys([*alike, *(replace(pruned, schedule=one) for one in possible)]))


def falls(frames: int, schedule: Sequence[tuple[int, int]]) -> bool:
    """Whether each stage keeps fewer frames than came to it, more than one, and before a later
    block."""
    kept, places = zip(*schedule, strict=True)
    fewer = all(a > b for a, b in pairwise([frames, *kept, 1]))
    return fewer and all(a < b for a, b in pairwise(places))


def runs(engines: Sequence[str], precisions: Sequence[str], device: str) -> list[tuple[str, str]]:
    """Engines with their precisions, as asked; by default eager and the extras that are installed.

    BenchError where one that was named cannot run here, or none of them has a precision.
    """
    asked = {one: ENGINES.load(one)() for one in engines or usual(device)}
    known = {each for one in asked.values() for each in one.precisions}
    for each in precisions:
        if each not in known:
            raise unknown(f"precision of {', '.join(asked)}", each, known)
    wanted = product(asked, dict.fromkeys(precisions))
    pairs = [(a, b) for a, b in wanted if b in asked[a].precisions]
    for one, each in pairs:
        asked[one].check(one, each, device)
    return pairs


def usual(device: str) -> Iterator[str]:
    """The engines that are tried unless others are named: what compiles takes minutes."""
    yield "eager"
    for name in ENGINES.names():
        try:
            engine = ENGINES.load(name)()
            engine.check(name, "float32", device)
        except BenchError:
            continue
        if engine.packages:
            yield name
