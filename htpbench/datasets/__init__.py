"""Data sets: one file a scheme, which names the class that reads it."""

from __future__ import annotations

import hashlib
import inspect
import os
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from htpbench.errors import BenchError, TimedOut, unknown
from htpbench.motion.dataset import Dataset
from htpbench.systems.registry import DATASETS, digest, imported_line

ACCEPTED = 'expected "synthetic" or the path of an .npz (docs/data.md), or "SCHEME:PATH"'
SWITCH = {"true": True, "false": False}


def open_data(spec: str) -> Dataset:
    """The data that a text names: SCHEME:PATH[,option=value...], "synthetic" or FILE.npz.

    BenchError for what cannot be read, and for unknown schemes and options.
    """
    name, *told = re.split(r",(?=[\w-]+=)", spec)
    for count in range(len(told), 0, -1):  # what looks like options may stand in a file's name
        longer = ",".join([name, *told[:count]])
        if os.path.exists(longer.partition(":")[2]):
            name, told = longer, told[count:]
            break
    if spec.endswith(".npz") and os.path.isfile(spec):  # whatever stands in its name
        name, told = f"npz:{spec}", []
    scheme, colon, path = name.partition(":")
    scheme = scheme.replace("-", "_")
    if not colon and name != "synthetic":
        scheme, path = "npz", name
        if not name.endswith(".npz"):
            hint = f"; did you mean bvh:{name}?" if name.lower().endswith(".bvh") else ""
            raise BenchError(f"unknown motion {spec!r}; {ACCEPTED} of {known()}{hint}")
    if scheme == "npz" and not os.path.isfile(path):
        raise BenchError(f"there is no file {path}; {ACCEPTED} of {known()}")
    if scheme not in DATASETS.names():
        raise unknown("data set", scheme, DATASETS.names())
    cls = DATASETS.load(scheme)
    asked = {each.partition("=")[::2] for each in told}
    if twice := [name for name, number in Counter(name for name, _ in asked).items() if number > 1]:
        raise BenchError(f"{spec}: {twice[0]} has two values; expected one")
    given = options(scheme, cls, {name: value for name, value in asked})
    if scheme in DATASETS.shipped:
        if colon and not path and scheme != "synthetic":
            raise BenchError(f"{spec!r} names no path; expected {name}PATH")
        return cls(path, **given)
    made = blamed(cls, f"the data set {scheme!r} cannot read {path!r}", cls)(path, **given)
    for name, kind in (("name", str), ("fingerprint", str), ("card", dict)):
        if not isinstance(found := getattr(made, name, None), kind):
            raise BenchError(
                f"the data set {scheme!r} of {DATASETS.owner(scheme)}: its {name} is {found!r:.60} "
                f"once {path!r} is read; expected a {kind.__name__}; mend it"
            )
    # The class may know nothing of keys: rows are of these options, and of this code.
    whole = f"{made.fingerprint} {digest(cls)} {sorted(given.items())}"
    try:
        made.fingerprint = hashlib.sha256(whole.encode()).hexdigest()[:12]
    except AttributeError as error:
        raise BenchError(
            f"the data set {scheme!r} of {DATASETS.owner(scheme)}: its fingerprint cannot be set; "
            "make it a plain attribute"
        ) from error
    for name in ("takes", "views", "motion", "mean_pose"):
        told = f"the data set {scheme!r} fails in {name}"
        setattr(made, name, blamed(getattr(made, name), told, cls))
    return made


def blamed(call: Callable, told: str, cls: type) -> Callable:
    """A call of another's code: what it raises names it, and its line, unless it is the user's."""

    def guarded(*arguments: Any, **named: Any) -> Any:
        try:
            return call(*arguments, **named)
        except (BenchError, MemoryError, TimedOut):
            raise
        except Exception as error:  # whatever goes wrong in it
            said = f"{type(error).__name__}: {error}"
            raise BenchError(f"{told}{imported_line(error, cls)}: {said}; mend it") from error

    return guarded


def known() -> str:
    """The schemes that there are."""
    names = (name.replace("_", "-") for name in DATASETS.names() if name != "synthetic")
    return ", ".join(f"{name}:" for name in names)


def options(scheme: str, cls: type, told: dict[str, str]) -> dict[str, Any]:
    """What is told of options, as the constructor's defaults are; BenchError for wrong ones."""
    usual = defaults(cls)
    found = {}
    for spelt, text in told.items():
        name = spelt.replace("-", "_")
        if name not in usual:
            raise unknown(f"option of {scheme}:", name, list(usual))
        kind = type(usual[name])
        try:
            found[name] = SWITCH[text] if kind is bool else kind(text)
        except (KeyError, ValueError):
            words = {bool: "true or false", int: "a whole number", float: "a number"}
            raise BenchError(f"{name}={text}: expected {words.get(kind, kind.__name__)}") from None
    return found


def defaults(cls: type) -> dict[str, Any]:
    """The options of a data set, as they are where nothing is said."""
    parameters = [*inspect.signature(cls).parameters.values()][1:]  # without the path
    return {one.name: one.default for one in parameters}
