"""One registry a kind of thing: what is shipped, decorators, entry points, imported files."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import marshal
import os
import re
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from traceback import extract_tb
from typing import Generic, TypeVar

from htpbench.errors import BenchError, unknown
from htpbench.systems import cards

T = TypeVar("T")
IMPORTED = "htpbench_import_"  # begins the names of modules of imported files
SPELT = {"threedhp": "3dhp"}  # modules whose names must begin with a letter: what they are called


class Registry(Generic[T]):
    """Names of one kind of system. Code is imported when `load` asks for it, never before.

    A system comes from its card under baselines/, from an installed distribution's entry point
    in the group `htpbench.<kind>s`, or from the decorator `register` in an imported file.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.registered: dict[str, type[T]] = {}

    @cached_property
    def shipped(self) -> Mapping[str, str]:
        """Name -> "module:attribute" of what comes with htpbench."""
        if self.kind not in cards.FOLDERS:
            return {}
        found = cards.shipped(self.kind).items()
        return {name: card.implementation for name, card in found if card.implementation}

    def checked(self, name: str, cls: type[T]) -> type[T]:
        """The class; BenchError where it does not say what is read of it before it is used."""
        return cls

    def register(self, name: str) -> Callable[[type[T]], type[T]]:
        """Class decorator: make a class known under `name`; a name that is taken is refused."""

        def add(cls: type[T]) -> type[T]:
            if not re.fullmatch(r"\w+", name, flags=re.ASCII):
                raise BenchError(f"the {self.kind} name {name!r}: expected letters, digits and _")
            point = self.entry_points.get(name)
            own = point is not None and point.module == cls.__module__
            if name in self.names() and not own:
                raise BenchError(
                    f"the {self.kind} name {name!r} is taken by {self.owner(name)}; "
                    "choose another, or leave out one of the two"
                )
            self.registered[name] = self.checked(name, cls)
            return cls

        return add

    @cached_property
    def entry_points(self) -> dict[str, EntryPoint]:
        """What other distributions bring; a name that is taken is refused."""
        found: dict[str, EntryPoint] = {}
        for point in entry_points(group=f"htpbench.{self.kind}s"):
            if point.name in found or point.name in self.shipped:
                first = installed(found[point.name]) if point.name in found else "htpbench itself"
                raise BenchError(
                    f"the {self.kind} name {point.name!r} is taken by {first}; "
                    f"uninstall {installed(point)} or rename it"
                )
            found[point.name] = point
        return found

    def names(self) -> list[str]:
        """All known names."""
        known = [*self.shipped, *self.entry_points, *self.registered]
        return list(dict.fromkeys(known))

    def owner(self, name: str) -> str:
        """Who brought a known name, in words."""
        if name in self.shipped:
            return "htpbench itself"
        if name in self.entry_points:
            return installed(self.entry_points[name])
        module = self.registered[name].__module__
        return str(getattr(sys.modules.get(module), "__file__", module))

    def card(self, name: str) -> cards.Card:
        """The card of a system; one without a shipped card is described by its class."""
        if name in cards.shipped(self.kind):
            return cards.shipped(self.kind)[name]
        cls = self.load(name)
        card = getattr(cls, "card", None)
        return card if card is not None else describe(cls, self.kind)

    def load(self, name: str) -> type[T]:
        """The class behind a name; BenchError if nobody knows it."""
        if name in self.registered:
            return self.registered[name]
        if name in self.entry_points:
            return self.brought(self.entry_points[name])
        if name not in self.shipped:
            raise unknown(self.kind, name, self.names())
        module, _, attribute = self.shipped[name].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def brought(self, point: EntryPoint) -> type[T]:
        """The class that a distribution brings; BenchError where it cannot be imported."""
        try:
            return self.checked(point.name, point.load())
        except BenchError:
            raise
        except Exception as error:  # the code is another's, whatever goes wrong in it
            raise BenchError(
                f"the {self.kind} {point.name!r} of {installed(point)} cannot be imported: "
                f"{type(error).__name__}: {error}; mend or uninstall it"
            ) from error


class Declared(Registry[T]):
    """Of classes that say things which are read without using one: `base` has a test of them."""

    def __init__(self, kind: str, base: str) -> None:
        super().__init__(kind)
        self.base = base
        self.right: dict[str, type[T]] = {}

    def checked(self, name: str, cls: type[T]) -> type[T]:
        """See Registry; tested once."""
        if self.right.get(name) is not cls:
            test = getattr(cls, "fault", None)
            if fault := test(name) if test else f"{cls!r:.60} is no htpbench.{self.base}":
                file = file_of(cls)
                where = f" ({Path(file).name})" if file else ""
                raise BenchError(f"the {self.kind} {name!r}{where}: {fault}; mend it")
            self.right[name] = cls
        return cls


class Modules(Declared[T]):
    """Without cards: each module of the folder htpbench/<kind>s holds the class of its name.

    Words of the name that _ parts begin with a capital: two_words holds TwoWords.
    """

    @cached_property
    def shipped(self) -> Mapping[str, str]:
        """See Registry."""
        files = (Path(__file__).parents[1] / f"{self.kind}s").glob("[a-z]*.py")
        stems = sorted(path.stem for path in files)
        classes = ("".join(map(str.capitalize, stem.split("_"))) for stem in stems)
        return {
            SPELT.get(stem, stem): f"htpbench.{self.kind}s.{stem}:{cls}"
            for stem, cls in zip(stems, classes, strict=True)
        }


def installed(point: EntryPoint) -> str:
    """The distribution that brings an entry point, and where in it."""
    name = point.dist.name if point.dist else "a distribution"
    return f"the installed {name} ({point.value})"


def describe(cls: type, kind: str = "") -> cards.Card:
    """A card for a class that ships none: its keyword defaults are its options.

    A backbone's are its one size, if `blocks` is among them.
    """
    parameters = inspect.signature(cls).parameters.values()
    options = {p.name: p.default for p in parameters if p.default is not p.empty}
    for name, default in options.items():
        if not isinstance(default, cards.Scalar):
            raise BenchError(
                f"{cls.__name__}: the default of {name!r} is {default!r}; "
                "expected a bool, a number or a text"
            )
    first_line = (inspect.getdoc(cls) or cls.__name__).splitlines()[0]
    title, blocks = cls.__name__, options.get("blocks")
    if kind == "backbone" and isinstance(blocks, int) and blocks > 0:
        size = cards.Variant.model_validate(options)
        return cards.BackboneCard(
            title=title,
            summary=first_line,
            citation="",
            pipeline="seq2frame" if getattr(cls, "one_pose", False) else "seq2seq",
            one_pose=getattr(cls, "one_pose", False),
            default="usual",
            variants={"usual": size},
        )
    return cards.Card(title=title, summary=first_line, citation="", options=options)


def import_file(path: Path) -> None:
    """Run a Python file so that its `register` decorators take effect (`--import FILE`).

    A file that was imported as it is now is left alone: a study and --import may both name it.
    BenchError names the line at which the file fails.
    """
    if not os.path.isfile(path):
        raise BenchError(f"--import {path}: no such file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BenchError(f"--import {path}: {error.strerror}") from error
    place = str(path.resolve())
    digest = hashlib.sha256(place.encode() + content)  # two files may have one stem
    name = f"{IMPORTED}{path.stem}_{digest.hexdigest()[:8]}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, place)
    if spec is None or spec.loader is None:
        raise BenchError(f"--import {path}: expected a Python file (.py)")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    try:
        spec.loader.exec_module(module)
    except BenchError:
        del sys.modules[spec.name]
        raise
    except Exception as error:  # the file is the user's, whatever goes wrong in it
        del sys.modules[spec.name]
        line = line_of(error, place) or getattr(error, "lineno", 1)  # none of it ran: bad syntax
        kind = type(error).__name__
        raise BenchError(f"--import {path}, line {line}: {kind}: {error}; mend it") from error


def line_of(error: BaseException, file: str) -> int | None:
    """The line of a file at which an error came up; None where it did not pass there."""
    frames = extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if frame.filename == file), None)


def file_of(cls: object) -> str | None:
    """The file of the module that a class is written in; None where there is none."""
    module = sys.modules.get(getattr(cls, "__module__", None) or "")
    return getattr(module, "__file__", None)


def imported_line(error: BaseException, cls: object = None) -> str:
    """The line of an imported file, or of a class's, where an error came up: (FILE, line N), ""."""
    files = [*imported_files(), file_of(cls) or ""]
    found = ((file, line_of(error, file)) for file in files)
    said = (f" ({Path(file).name}, line {line})" for file, line in found if line)
    return next(said, "")


def imported_files() -> list[str]:
    """The files that `import_file` has run, for a process that is to know the same."""
    known = [module for name, module in sys.modules.items() if name.startswith(IMPORTED)]
    return [str(module.__file__) for module in known]


def digest(cls: type) -> str:
    """12 hex digits of the file that a class comes from; typed in, of its functions."""
    try:
        source = Path(inspect.getfile(cls)).read_bytes()
    except (OSError, TypeError):  # a notebook, or a prompt
        functions = [each for each in vars(cls).values() if inspect.isfunction(each)]
        source = b"".join(marshal.dumps(each.__code__) for each in functions)
    return hashlib.sha256(source).hexdigest()[:12]


BACKBONES: Registry = Registry("backbone")
PRUNERS: Registry = Registry("pruner")
RECOVERERS: Registry = Registry("recoverer")
METERS: Registry = Modules("meter", "Meter")
ENGINES: Registry = Modules("engine", "Engine")
DATASETS: Registry = Modules("dataset", "Dataset")
METRICS: Registry = Declared("metric", "PoseMetric")
