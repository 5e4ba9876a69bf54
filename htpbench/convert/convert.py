"""An official checkpoint as weights of a combination: every key finds its place, or nothing does.

What comes out serves `--weights`: lineage `same` for the combination itself, `transferred` for
others, since official checkpoints were trained for one schedule.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from htpbench import weights
from htpbench.combination import Combination, parse
from htpbench.convert.archive import contents, tensors
from htpbench.convert.pickled import Stored
from htpbench.convert.spelling import official_spelling
from htpbench.errors import BenchError, OtherLengths
from htpbench.lifter import Lifter, build

CONTAINERS = ("model_pos", "model", "state_dict")
WRAPPED = "module."  # what torch.nn.DataParallel puts before every key
LISTED = 30  # keys of one kind in a message


@dataclass(frozen=True)
class Official:
    """The state dict of a checkpoint, its keys without `module.`."""

    path: Path
    container: str  # "" for a bare state dict
    prefix: str
    state: dict[str, Stored]

    @property
    def layout(self) -> str:
        """How the file holds its keys."""
        place = f"under {self.container}" if self.container else "bare"
        return f"{place}, keys with {self.prefix}" if self.prefix else place


def convert(
    source: Path, text: str, out: Path, absent: Sequence[str] = ()
) -> tuple[dict[str, Any], bool]:
    """Write the safetensors and the card of a checkpoint; returns the card, and if it is new.

    absent: keys that may be missing, in the checkpoint's spelling or ours; they stay as they are
    initialised with seed 0. BenchError, and nothing is written, where the file cannot be read
    safely, a key or shape does not fit, a number is not finite or `out` holds something else.
    """
    if out.suffix != ".safetensors":
        raise BenchError(f"--out {out}: expected a name that ends in .safetensors")
    combination, official = parse(text), read(source)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        lifter = build(combination)
    theirs = renamed(official, combination)
    missing = check(lifter, combination, official, theirs, absent)
    state, expected = lifter.state_dict(), lifter.state_dict()
    for name, tensor in tensors(source, {o: official.state[t] for o, t in theirs.items()}).items():
        state[name] = tensor.to(expected[name].dtype, copy=True)
    wild = [official.prefix + theirs[n] for n in theirs if not state[n].isfinite().all()]
    if wild:
        raise BenchError(f"{source}: NaN or infinity{listed(wild)}")
    with source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    card = {
        "schedule": "same",
        "recipe": {"combination": str(combination)},
        "trained": "elsewhere; the official checkpoint does not say how",
        "source": {
            "file": source.name,
            "sha256": digest,
            "layout": official.layout,
            "keys": len(state),
            "found": len(theirs),
            "missing": missing,
        },
    }
    recoverer = f"recoverer.{combination.recoverer.name}." if combination.recoverer else ""
    state = {re.sub(r"^recoverer\.", recoverer, name): tensor for name, tensor in state.items()}
    return card, keep(out, state, card)


def read(path: Path) -> Official:
    """The state dict of a checkpoint in one of the layouts that official ones have."""
    if not os.path.isfile(path):
        raise BenchError(f"{path}: no such file")
    content = contents(path)
    found = content if type(content) is dict else {}
    containers = [name for name in CONTAINERS if type(found.get(name)) is dict]
    state = found[containers[0]] if len(containers) == 1 else found
    strangers = [
        repr(key)
        for key, value in state.items()
        if type(value) is not Stored or type(key) is not str or not key.isprintable()
    ]
    if strangers or not state:
        raise BenchError(
            f"{path}: expected tensors alone, bare or under one of {', '.join(CONTAINERS)}; found "
            f"{listed(strangers) if strangers else 'none'}"
        )
    prefix = WRAPPED if all(key.startswith(WRAPPED) for key in state) else ""
    state = {key.removeprefix(prefix): value for key, value in state.items()}
    return Official(path, "".join(containers), prefix, state)


def renamed(official: Official, combination: Combination) -> dict[str, str]:
    """Our keys and the official ones that they come from; no two may come to the same."""
    theirs: dict[str, str] = {}
    for key in official.state:
        name = weights.official_key(key, combination)
        if not name:
            continue  # what the card says follows from the hyper-parameters
        other = theirs.setdefault(name, key)
        if other != key:
            raise BenchError(f"{official.path}: {other} and {key} would be the same parameter")
    return theirs


def check(
    lifter: Lifter,
    combination: Combination,
    official: Official,
    theirs: dict[str, str],
    absent: Sequence[str],
) -> list[str]:
    """The keys that are missing and may be; BenchError lists all that does not fit."""
    expected = lifter.state_dict()
    fit = weights.fit(lifter, {ours: official.state[key] for ours, key in theirs.items()})
    named = {weights.official_key(k.removeprefix(official.prefix), combination): k for k in absent}
    for ours, key in named.items():
        if ours not in fit.missing:
            raise BenchError(f"--missing {key}: {combination} misses no such key")
    fit = replace(fit, missing=[ours for ours in fit.missing if ours not in named])

    def spell(ours: str) -> str:
        found = theirs.get(ours) or official_spelling(ours, combination, official.state)
        return official.prefix + found if ours in theirs or found != ours else f"{ours} (our name)"

    shapes = {ours: f" is {said}" for ours, said in fit.shapes.items()}
    for ours in theirs.keys() & expected.keys() - shapes.keys():
        found, wanted = official.state[theirs[ours]].storage.dtype, expected[ours].dtype
        if found.is_floating_point != wanted.is_floating_point:
            shapes[ours] = f" holds {found}, not {wanted}"
    kinds = {"missing": fit.missing, "not known": fit.extra, "of another shape": sorted(shapes)}
    if not any(kinds.values()):
        return sorted(named)
    good = fit.expected - len(fit.missing) - len(shapes) - len(named)
    said = [
        f"{official.path} ({official.layout}) does not fit {combination}: "
        f"{good} of {fit.expected} keys ({100 * good / fit.expected:.1f} %)"
    ]
    said += [fit.lengths] * bool(fit.lengths)
    for kind, keys in kinds.items():
        if keys:
            lines = [spell(ours) + shapes.get(ours, "") for ours in keys[:LISTED]]
            said.append(f"{kind}{listed(lines, len(keys))}")
    said += ["--missing KEY allows a key to be missing"] * (list(kinds.values())[1:] == [[], []])
    raise (OtherLengths if fit.lengths else BenchError)("\n".join(said))


def listed(lines: Sequence[str], count: int | None = None) -> str:
    """How many there are, and the first of them, one a line."""
    count = len(lines) if count is None else count
    shown = [line[:300] for line in lines[:LISTED]]
    more = [f"... and {count - len(shown)} more"] * (count > len(shown))
    return f" ({count}):" + "".join(f"\n  {line}" for line in shown + more)


def keep(out: Path, state: dict[str, Tensor], card: dict[str, Any]) -> bool:
    """Write, unless (False) the same is there already; BenchError where something else is."""
    if not (out.exists() or out.with_suffix(".json").exists()):
        weights.write(out, state, card)
        return True
    other = BenchError(f"{out} or its card exists and is something else; name another with --out")
    try:
        found, found_card = weights.read(out)
    except BenchError as fault:
        raise other from fault
    same = found_card == card and found.keys() == state.keys()
    if not same or any(not found[name].equal(state[name]) for name in state):
        raise other
    return False
