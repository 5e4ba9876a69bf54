"""Who may import whom, read from the sources."""

import ast
from functools import cache

import pytest
from paths import ROOT

PACKAGE = ROOT / "htpbench"

# The floors of the house: a name may import its own floor and those below it.
FLOORS = [
    {"cli", "testing", "__main__"},
    {"training", "search", "gate"},
    {"bench"},
    {"htpbench", "protocols", "registry", "selection"},  # the public names
    {"meters"},
    {"measuring"},
    {"report", "convert"},
    {"records"},
    {"engines", "exporting"},
    {"diffusion", "backbones", "pruners", "recoverers", "learning"},
    {"network", "datasets", "keypoints", "poses", "checking"},
    {"study", "motion", "metrics"},
    {"systems"},
    {"outside", "errors"},
]
# The parts know each other only by contracts; reports read rows and nothing else.
BASICS = {"network", "systems", "errors", "outside"}
READING = {"records", "study", "systems", "errors", "outside"}
ONLY = {
    "backbones": BASICS | {"backbones"},
    "pruners": BASICS | {"pruners"},
    "recoverers": BASICS | {"recoverers"},
    "learning": BASICS | {"diffusion", "learning"},
    "motion": BASICS - {"network"} | {"motion"},
    "keypoints": BASICS - {"network"} | {"motion", "keypoints"},
    "datasets": BASICS - {"network"} | {"motion", "keypoints", "datasets"},
    "checking": BASICS - {"network"} | {"motion", "datasets", "checking"},
    "poses": BASICS - {"network"} | {"motion", "datasets", "poses"},
    "report": READING | {"report"},
    "records": READING,
}
# Third parties that only these may import, wherever the import stands.
RESERVED = {
    "optuna": {"search"},
    "fvcore": {"measuring"},
    "ptflops": {"measuring"},
    "onnxruntime": {"engines"},
    "openvino": {"engines"},
}
# What must come up without these, because a command line must answer at once.
HEAVY = {"torch", "pandas", "seaborn", "matplotlib", "optuna"}
LIGHT = {
    "cli": HEAVY,
    "systems": HEAVY | {"numpy"},
    "outside": HEAVY | {"numpy"},
    "study": HEAVY | {"numpy"},
    "records": HEAVY,
    "poses.files": HEAVY,
    "poses.page": HEAVY,
    "poses.source": HEAVY,
    "poses.together": HEAVY,
    "meters": HEAVY | {"numpy"},
    "engines": HEAVY | {"numpy"},
    "learning.recipes": HEAVY | {"numpy"},
    "report": {"torch", "optuna"},
}


def modules():
    """Dotted name -> path of every module of the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if "_data" not in path.parts:
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def top_name(module):
    """`lifter` of `htpbench.network.lifter`, `meters` of `htpbench.measuring.counting`."""
    return module.split(".")[1] if "." in module else module


def names_in(node):
    """Full names that one import statement asks for; `from a import b` asks for a and a.b."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    assert node.level == 0, "imports are absolute"
    joined = {f"{node.module}.{alias.name}" for alias in node.names}
    return (joined & MODULES.keys()) or {node.module}


def guarded(node):
    """`if TYPE_CHECKING:`, which never runs."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


@cache
def imports(module, inside_functions):
    """Full names a module imports, when it is loaded or also later in a function's body."""
    found, waiting = set(), list(ast.parse(MODULES[module].read_text()).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= names_in(node)
        elif inside_functions or not (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or guarded(node)
        ):
            waiting.extend(ast.iter_child_nodes(node))
    return found


def floor(name):
    rows = [index for index, row in enumerate(FLOORS) if name in row]
    assert rows, f"where does {name} stand? Give it a row in FLOORS"
    return rows[0]


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module):
    own = top_name(module)
    for name in imports(module, inside_functions=True):
        if name in MODULES:
            other = top_name(name)
            assert floor(own) <= floor(other), f"{module} imports {name}, which stands above it"
            allowed = ONLY.get(own)
            assert allowed is None or other in allowed, f"{module} must not know {name}"
        else:
            owners = RESERVED.get(name.split(".")[0])
            assert owners is None or own in owners, f"{module} imports {name}"


def loaded_by(module):
    """All that loading a module loads of other packages, with one path to each."""
    found, seen, waiting = {}, set(), [(module, module)]
    while waiting:
        name, path = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        # loading a.b.c loads a and a.b as well
        waiting += [(name.rpartition(".")[0], path)] if "." in name else []
        for wanted in imports(name, inside_functions=False):
            if wanted in MODULES:
                waiting.append((wanted, f"{path} -> {wanted}"))
            else:
                found.setdefault(wanted.split(".")[0], path)
    return found


@pytest.mark.parametrize("name", LIGHT)
def test_light_modules_stay_light(name):
    whole = f"htpbench.{name}"
    for module in [m for m in MODULES if m == whole or m.startswith(f"{whole}.")]:
        assert {n: p for n, p in loaded_by(module).items() if n in LIGHT[name]} == {}


def test_light_names_are_modules():
    assert {f"htpbench.{name}" for name in LIGHT} <= MODULES.keys()


def test_the_reader_sees_what_it_must():
    assert "torch" in loaded_by("htpbench.measuring.counting")
    assert loaded_by("htpbench.network.weights")["torch"].startswith("htpbench.network.weights")
    assert "fvcore.nn" in imports("htpbench.measuring.counting", inside_functions=True)
    assert "fvcore.nn" not in imports("htpbench.measuring.counting", inside_functions=False)
    assert "htpbench.systems.cards" in imports("htpbench.systems.registry", inside_functions=False)
