"""What docs/extending.md shows, run as it stands; and data sets of third parties that are wrong."""

import re
import shlex
import sys
import tomllib
from functools import cache

import numpy as np
import pytest
import small
from paths import ROOT
from test_registry import distribution

from htpbench import datasets
from htpbench.datasets import open_data
from htpbench.datasets.synthetic import Synthetic
from htpbench.errors import BenchError
from htpbench.motion.clip import Take
from htpbench.motion.views import Views
from htpbench.records.results import Results
from htpbench.systems.registry import BACKBONES, Modules, import_file

TEXT = (ROOT / "docs" / "extending.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
FILES = dict(re.findall(r"```python\n(?=# (\w+)\.py\n)(.*?)```", TEXT, re.DOTALL))
CONTRACTS = [block for block in BLOCKS if block not in FILES.values()]
SHELL = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = dict(zip(FILES, SHELL, strict=True))
(PROJECT,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
LINES = dict.fromkeys(FILES, ("control: mean pose",)) | {
    name: re.findall(r"`(\S+  [\d.]+)`", TEXT.partition(f"# {name}.py")[2].partition("## ")[0])
    for name in ("swift", "nearest", "plain", "size")
}
LINES["worst"] = ("control: mean pose", "worst joint error (mm)")
LINES["folded"] = ("speed-up",)


@cache
def drawn():
    return Synthetic()


@cache
def filmed():
    return drawn().views("test", "gt")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The examples, a folder of recordings and a video."""
    for name, text in FILES.items():
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "recordings").mkdir()
    for split, subject in (("train", "S2"), ("test", "S1")):
        for action, clip in zip(("Sitting", "Walking"), drawn().motion(split), strict=False):
            path = tmp_path / "recordings" / f"{subject}_{action}.npy"
            np.save(path, clip.positions[100:120] / 1000)
    seen = filmed()
    pixels = 500 * (seen.poses2d[:40, :, :2] + 1)
    poses = seen.poses3d[:40] + seen.root[:40, None]
    np.savez(tmp_path / "film.npz", pixels=pixels, poses=poses)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsys):
    """The command line: its exit code and all that it said, spaces told once."""

    def run(*arguments):
        code = small.call(monkeypatch, *arguments)
        return code, " ".join("".join(capsys.readouterr()).split())

    return run


def spoken(text):
    return re.sub(r" +", " ", text)


def test_there_is_an_example_a_contract_and_an_entry_point_of_each():
    assert all(len(block.splitlines()) < 30 for block in BLOCKS)
    assert len(FILES) == len(CONTRACTS) == 8
    brought = tomllib.loads(PROJECT)["project"]["entry-points"]
    names = {name: place for group in brought.values() for name, place in group.items()}
    assert names == {name: f"{name}:{name.capitalize()}" for name in FILES}
    kinds = {group.removeprefix("htpbench.").upper() for group in brought}
    for name, text in FILES.items():
        (kind,) = {kind for kind in kinds if f'@{kind}.register("{name}")' in text}
        assert name in brought[f"htpbench.{kind.lower()}"]


@pytest.mark.parametrize("name", FILES)
def test_an_example_runs_as_the_documentation_says(folder, run, name):
    said = ""
    for command in COMMANDS[name].replace("\\\n", " ").splitlines():
        program, *arguments = shlex.split(command)
        code, told = run(*arguments)
        assert program == "htpbench" and code == 0, told
        said += told
    assert LINES[name] and all(spoken(line) in said for line in LINES[name]), said
    code, told = run("--import", f"{name}.py", "ls")
    assert code == 0 and re.search(rf"\b{name}\b", told)
    if name in ("walks", "video"):
        rows = [row for row in Results.read(folder / "results") if row.metric == "accuracy.mpjpe"]
        assert rows and all(row.status == "ok" for row in rows)
        held = {row.conditions["data"] for row in rows}
        assert held == {open_data(f"{name}:{'film.npz' if name == 'video' else 'recordings'}").name}


def test_the_contracts_as_the_documentation_shows_them(folder):
    for number, block in enumerate(CONTRACTS):
        (folder / f"test_{number}.py").write_text(block)
    files = [f"test_{number}.py" for number in range(len(CONTRACTS))]
    arguments = ("-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", *files)
    code, out, err = small.finished(small.started(*arguments, cwd=folder))
    assert code == 0, out + err
    for name in FILES:
        assert f"::Test{name.capitalize()}::" in out
    assert out.count("PASSED") >= 38 and "failed" not in out


def installed(folder, project=PROJECT):
    """The examples as a distribution that is installed."""
    groups = tomllib.loads(project)["project"]["entry-points"]
    lines = []
    for group, entries in groups.items():
        lines += [f"[{group}]", *(f"{name} = {place}" for name, place in entries.items())]
    distribution(folder, "\n".join(lines) + "\n", "")


def test_an_installed_distribution_brings_them_all(folder):
    installed(folder)
    command = "run", "plain-9+swift:3@1+nearest", "--weights", "random"
    command += "--meter", "size", "--meter", "accuracy", "--data", "walks:recordings,scale=1000"
    process = small.started("-m", "htpbench", *command, cwd=folder)
    code, out, err = small.finished(process)
    assert code == 0 and "plain-9+swift:3@1+nearest" in out and "weights" in out, out + err
    rows = {row.metric: row for row in Results.read(folder / "results")}
    assert rows["accuracy.worst"].status == "ok" and rows["size.weights"].status == "ok"
    assert rows["accuracy.worst"].conditions["data"] == "walks"


def test_an_installed_data_set_is_opened_by_its_name(folder, monkeypatch):
    installed(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(datasets, "DATASETS", Modules("dataset", "Dataset"))
    try:
        walks = open_data("walks:recordings,scale=1000")
        film = open_data("video:film.npz")
    finally:
        for name in FILES:
            sys.modules.pop(name, None)
    assert walks.splits == ("train", "test") or walks.splits == ("test", "train")
    assert {take.name for take in walks.takes("test")} == {"S1_Sitting", "S1_Walking"}
    assert walks.takes("test")[0].positions[..., 2].max() > 1000
    assert film.views("test").rates == [50.0] and film.motion("test") is None


def test_a_study_names_its_files(folder, run):
    lines = [
        'title = "Own"\nimports = ["swift.py", "nearest.py", "walks.py"]\nmeters = ["accuracy"]',
        'weights = "random"\ncombinations = ["mixste.tiny-9+swift:3@1+nearest"]',
        '[evaluation]\ndata = "walks:recordings,scale=1000"',
    ]
    (folder / "own.toml").write_text("\n".join(lines))
    code, told = run("plan", "--study", "own.toml")
    assert code == 0 and "mixste.tiny-9+swift:3@1+nearest" in told


def test_a_backbone_without_a_card_has_the_size_of_its_defaults(folder):
    import_file(folder / "plain.py")
    card = BACKBONES.card("plain")
    assert list(card.variants) == [card.default] and card.pipeline == "seq2seq"
    assert card.variants[card.default].parameters() == {"blocks": 2, "width": 32}


def test_views_are_laid_end_to_end():
    takes = [Take(name, "S1", "Walking", "test") for name in "ab"]
    seen, poses = [np.ones((n, 17, 3)) for n in (2, 3)], [np.full((n, 17, 3), n) for n in (2, 3)]
    views = Views.of(takes, seen, poses, source="file", rate=25)
    assert views.start.tolist() == [0, 2] and views.stop.tolist() == [2, 5]
    assert not views.poses3d.any() and views.valid.all() and views.cameras is None
    assert views.rates.tolist() == [25, 25] and views.clip.tolist() == [0, 1]
    assert Views.of(takes, seen, source="file").poses3d is None
    with pytest.raises(BenchError, match="2D and 3D have unlike lengths"):
        Views.of(takes, seen, poses[::-1], source="file")


HEAD = "from htpbench import DATASETS, Dataset, Motion\n"
OF = '@DATASETS.register("mine")\nclass Mine({base}):\n    {body}\n'
INIT = "def __init__(self, path{options}): {body}"
EMPTY = 'super().__init__("mine", [])'


def mine(base="Motion", body=EMPTY, options=""):
    return HEAD + OF.format(base=base, body=INIT.format(options=options, body=body))


WRONG = {
    "no data set": (
        HEAD + OF.format(base="", body="pass"),
        "the dataset 'mine' (mine.py): <class 'htpbench_import_mine_",
        "is no htpbench.Dataset; mend it",
    ),
    "abstract": (
        mine("Dataset", "pass"),
        "'mine' (mine.py): it lacks splits, takes, views; expected a subclass of htpbench.Motion",
    ),
    "raises": (
        mine(body="1 / 0"),
        "the data set 'mine' cannot read 'here' (mine.py, line 4): ZeroDivisionError",
        "mend it",
    ),
    "raises by a library": (
        mine(body="open('nowhere.txt')"),
        "'mine' cannot read 'here' (mine.py, line 4): FileNotFoundError",
        "mend it",
    ),
    "no default": (
        HEAD + OF.format(base="Motion", body="pass"),
        "'mine' (mine.py): its option clips has no default that is a text, a number or a bool",
    ),
    "a default that nobody can type": (
        mine(options=", rate=None"),
        "its option rate has no default",
    ),
    "any option": (mine(options=", **more"), "its option more has no default"),
    "no path": (
        HEAD + OF.format(base="Motion", body="def __init__(self): pass"),
        "its constructor takes nothing; expected (self, path, option=default, ...)",
    ),
    "no name": (
        mine(body="pass"),
        "the data set 'mine' of",
        "mine.py: its name is None once 'here' is read; expected a str; mend it",
    ),
    "raises when it is used": (
        mine(body="self.name, self.card, self.fingerprint = 'mine', {}, '0' * 12", base="Dataset")
        + "    splits = ('test',)\n    takes = views = lambda self, *_: 1 / 0\n",
        "the data set 'mine' fails in views (mine.py, line 6): ZeroDivisionError",
        "mend it",
    ),
    "a name that is shipped": (
        mine().replace('"mine"', '"bvh"'),
        "the dataset name 'bvh' is taken by htpbench itself; choose another",
    ),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_data_set_that_is_wrong_is_refused_by_name(tmp_path, monkeypatch, run, fault):
    text, *expected = WRONG[fault]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(text)
    command = "run", small.NETWORK, "--weights", "random", "--meter", "accuracy"
    code, told = run("--import", "mine.py", *command, "--data", "mine:here")
    assert code == 2 and "Traceback" not in told
    assert all(each in told for each in expected), told


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("scael=1000", "unknown option of walks: 'scael'; did you mean scale"),
        ("scale=big", "scale=big: expected a number"),
        ("scale=", "scale=: expected a number"),
    ],
)
def test_an_option_that_is_wrong_is_refused(folder, run, told, expected):
    command = "run", small.NETWORK, "--weights", "random", "--meter", "accuracy"
    code, said = run("--import", "walks.py", *command, "--data", f"walks:recordings,{told}")
    assert code == 2 and expected in said


def refused(folder, monkeypatch, spec="mine:here"):
    """What is said of a data set of the distributions in a folder."""
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(datasets, "DATASETS", Modules("dataset", "Dataset"))
    try:
        with pytest.raises(BenchError) as caught:
            open_data(spec)
    finally:
        sys.modules.pop("fastest_frames", None)
    return str(caught.value)


ENTRY = "[htpbench.datasets]\nmine = fastest_frames:Mine\n"


def test_an_installed_data_set_that_raises_says_the_line(tmp_path, monkeypatch):
    distribution(tmp_path, ENTRY, mine(body="1 / 0"))
    said = refused(tmp_path, monkeypatch)
    assert "'mine' cannot read 'here' (fastest_frames.py, line 4): ZeroDivisionError" in said


def test_two_distributions_with_one_scheme_are_both_named(tmp_path, monkeypatch):
    distribution(tmp_path, ENTRY, mine())
    distribution(tmp_path, ENTRY, mine(), name="htpbench-other")
    said = refused(tmp_path, monkeypatch)
    assert "the dataset name 'mine' is taken by the installed htpbench-" in said
    assert "htpbench-fastest" in said and "htpbench-other" in said


def test_a_distribution_cannot_take_a_scheme_that_is_shipped(tmp_path, monkeypatch):
    distribution(tmp_path, ENTRY.replace("mine =", "npz ="), mine())
    said = refused(tmp_path, monkeypatch)
    assert "the dataset name 'npz' is taken by htpbench itself; uninstall" in said
