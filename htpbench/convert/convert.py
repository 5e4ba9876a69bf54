"""An official checkpoint as weights of a combination: every key finds its place, or nothing does.

What comes out serves `--weights`: regime `same` for the combination itself, `transferred` for
others, since official checkpoints were trained for one schedule.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from htpbench.convert.official import LISTED, Official, listed, read, reader
from htpbench.convert.spelling import Spelling
from htpbench.errors import BenchError, OtherLengths
from htpbench.network import weights
from htpbench.network.build import build
from htpbench.network.lifter import Lifter
from htpbench.outside import files
from htpbench.systems.combination import Combination, parse


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
    wanted = {ours: official.state[key] for ours, key in theirs.items()}
    for name, tensor in reader(source).tensors(source, wanted).items():
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

    spelling = Spelling(combination, official.state)

    def spell(ours: str) -> str:
        found = theirs.get(ours) or spelling.of(ours)
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


def keep(out: Path, state: dict[str, Tensor], card: dict[str, Any]) -> bool:
    """Write, unless (False) the same is there already; BenchError where something else is."""
    beside = out.with_suffix(".json")
    if not os.path.lexists(out) and (not os.path.lexists(beside) or left_behind(beside, card)):
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


def left_behind(file: Path, card: dict[str, Any]) -> bool:
    """Whether a file is this card: written first, its tensors not, where a conversion is killed."""
    try:
        return files.load_json(file) == card
    except BenchError:
        return False
