"""Third-party systems without touching a core file, and cards that say what the classes do."""

import inspect
import subprocess
import sys

import pytest
import torch
from paths import ROOT

from htpbench.errors import BenchError
from htpbench.network.build import build, build_pruner
from htpbench.network.contracts import Backbone, Pruner, Recoverer
from htpbench.systems import cards
from htpbench.systems.combination import parse
from htpbench.systems.registry import (
    BACKBONES,
    PRUNERS,
    RECOVERERS,
    describe,
    import_file,
    imported_files,
)
from htpbench.testing import PrunerContract

REGISTRIES = [BACKBONES, PRUNERS, RECOVERERS]

FASTEST = '''
from htpbench.network.contracts import Pruner
from htpbench.systems.registry import PRUNERS
from htpbench.network.positions import top


@PRUNERS.register("fastest")
class Fastest(Pruner):
    """Keeps the frames whose 2D poses are largest, one step apart."""

    def __init__(self, power: int = 1, scale: float = 1.0, absolute: bool = True) -> None:
        self.power, self.scale, self.absolute = power, scale, absolute

    def select(self, view, r):
        size = view.poses.abs() if self.absolute else view.poses
        scores = self.scale * size.pow(self.power).sum(dim=(2, 3))
        return top(scores, r, view.keep)
'''


@pytest.fixture
def fastest(tmp_path):
    path = tmp_path / "fastest.py"
    path.write_text(FASTEST)
    import_file(path)


def distribution(folder, entries, module, name="htpbench-fastest"):
    """What an installed distribution leaves on the path."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entries)
    (folder / "fastest_frames.py").write_text(module)


def run(code, folder):
    command = [sys.executable, "-c", code]
    environment = {"PYTHONPATH": f"{folder}:{ROOT}", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)


def test_a_pruner_from_another_distribution_works_end_to_end(tmp_path):
    module = FASTEST.replace('@PRUNERS.register("fastest")\n', "")
    entries = "[htpbench.pruners]\nfastest = fastest_frames:Fastest\n"
    distribution(tmp_path, entries, module)
    code = (
        "import sys\n"
        "from htpbench.systems.combination import parse\n"
        "parse('mixste.tiny-27+tps:9@1+tri'); print('fastest_frames' in sys.modules)\n"
        "from htpbench.network.build import build\n"
        "lifter = build('mixste.tiny-27+fastest~power=2~scale=1.0:9@1+tri')\n"
        "print(parse('mixste.tiny-27+fastest~power=2~scale=1.0:9@1+tri'))\n"
        "lifted = lifter(*lifter.example())\n"
        "print(list(lifted.poses.shape), list(lifted.kept[0].shape), lifter.pruner.power)\n"
    )
    found = run(code, tmp_path)
    assert found.stderr == ""
    assert found.stdout.splitlines() == [
        "False",
        "mixste.tiny-27+fastest~power=2:9@1+tri",
        "[1, 27, 17, 3] [1, 9] 2",
    ]


def test_a_distribution_cannot_take_a_shipped_name(tmp_path):
    entries = "[htpbench.pruners]\ntpc = fastest_frames:Fastest\n"
    distribution(tmp_path, entries, FASTEST)
    found = run(
        "from htpbench.systems.combination import parse; parse('mixste-243+tpc:81@3')", tmp_path
    )
    assert "BenchError: the pruner name 'tpc' is taken" in found.stderr
    assert "htpbench-fastest" in found.stderr


def test_a_pruner_that_is_installed_and_imported_says_who_has_the_name(tmp_path):
    module = FASTEST.replace('@PRUNERS.register("fastest")\n', "")
    distribution(tmp_path, "[htpbench.pruners]\nfastest = fastest_frames:Fastest\n", module)
    (tmp_path / "mine.py").write_text(FASTEST)
    code = "from pathlib import Path\nfrom htpbench.systems.registry import import_file\n"
    said = run(f"{code}import_file(Path('mine.py'))", tmp_path).stderr
    assert "taken by the installed htpbench-fastest (fastest_frames:Fastest); choose" in said


def test_two_distributions_with_one_name_are_both_named(tmp_path):
    entries = "[htpbench.pruners]\nfastest = fastest_frames:Fastest\n"
    distribution(tmp_path, entries, FASTEST)
    distribution(tmp_path, entries, FASTEST, name="htpbench-other")
    said = run("from htpbench.systems.registry import PRUNERS; PRUNERS.names()", tmp_path).stderr
    assert "is taken by the installed htpbench-" in said
    assert "htpbench-fastest" in said and "htpbench-other" in said


def test_a_file_that_was_refused_is_not_taken_for_imported(tmp_path):
    path = tmp_path / "bad.py"
    path.write_text(FASTEST.replace('"fastest"', '"tps"'))
    for _ in range(2):
        with pytest.raises(BenchError, match="'tps' is taken"):
            import_file(path)
    assert str(path) not in imported_files()


def test_two_files_of_one_name_are_two_modules(tmp_path):
    """Each row says by a digest of whose file it is."""
    for folder, name in (("a", "fastest"), ("b", "slowest")):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "mine.py"
        path.write_text(FASTEST.replace("fastest", name))
        import_file(path)
    for folder, name in (("a", "fastest"), ("b", "slowest")):
        assert inspect.getfile(PRUNERS.load(name)) == str(tmp_path / folder / "mine.py")


def test_a_pruner_from_a_file_works_end_to_end(fastest):
    lifter = build("mixste.tiny-27+fastest~absolute=false:9@1").eval()
    lifted = lifter(*lifter.example(batch=2))
    assert lifted.poses.shape == (2, 9, 17, 3)
    assert lifter.pruner.absolute is False


def test_the_options_are_the_constructors_defaults(fastest):
    card = PRUNERS.card("fastest")
    assert card.options == {"power": 1, "scale": 1.0, "absolute": True}
    assert card.summary == "Keeps the frames whose 2D poses are largest, one step apart."
    assert {key: type(value) for key, value in card.options.items()} == {
        "power": int,
        "scale": float,
        "absolute": bool,
    }
    text = "mixste-243+fastest~absolute=false~scale=2:81@3"
    assert str(parse(text)) == text
    with pytest.raises(BenchError, match="unknown option of fastest 'powr'; did you mean power"):
        parse("mixste-243+fastest~powr=2:81@3")
    with pytest.raises(BenchError, match="unknown pruner 'fastes'; did you mean fastest"):
        parse("mixste-243+fastes:81@3")


class TestFastest(PrunerContract):
    @pytest.fixture(autouse=True)
    def load(self, fastest):
        self.pruner = PRUNERS.load("fastest")()


def test_taken_names_are_refused(fastest, tmp_path):
    import_file(tmp_path / "fastest.py")  # a study and --import may both name it
    again = tmp_path / "again" / "fastest.py"
    again.parent.mkdir()
    again.write_text(FASTEST)
    with pytest.raises(BenchError, match=f"'fastest' is taken by {tmp_path}/fastest.py; choose"):
        import_file(again)
    for registry, name in ((PRUNERS, "tps"), (PRUNERS, "tpa"), (BACKBONES, "mixste")):
        with pytest.raises(BenchError, match=f"the {registry.kind} name '{name}' is taken"):
            registry.register(name)(object)


def test_files_that_cannot_be_imported_are_named(tmp_path):
    with pytest.raises(BenchError, match=r"nowhere.py: no such file"):
        import_file(tmp_path / "nowhere.py")
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(BenchError, match=r"notes.txt: expected a Python file \(.py\)"):
        import_file(tmp_path / "notes.txt")


def test_a_dataclass_in_an_imported_file_works(tmp_path):
    (tmp_path / "torch.py").write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "from htpbench.pruners.tps import TPS\n"
        "from htpbench.systems.registry import PRUNERS\n\n"
        "@PRUNERS.register('sampler')\n@dataclass\nclass Sampler(TPS):\n    offset: int = 1\n"
    )
    import_file(tmp_path / "torch.py")
    assert PRUNERS.card("sampler").options == {"offset": 1}
    assert sys.modules["torch"] is torch


def test_a_backbone_without_a_card_is_refused():
    BACKBONES.register("plain")(type("Plain", (Backbone,), {}))
    with pytest.raises(BenchError, match=r"backbone 'plain' needs a class attribute `card`"):
        parse("plain-27")


def test_a_third_party_backbone_brings_its_card():
    variants = {"small": {"blocks": 2, "width": 16}}
    card = cards.BackboneCard(
        title="Mine",
        summary="",
        citation="",
        pipeline="seq2frame",
        default="small",
        variants=variants,
        first=1,
    )
    BACKBONES.register("mine")(type("Mine", (Backbone,), {"card": card}))
    assert str(parse("mine.small-27+tps:9@1")) == "mine-27+tps:9@1"
    with pytest.raises(BenchError, match="b from 1 to 1 for mine"):
        parse("mine-27+tps:9@0")


@pytest.mark.parametrize("option", [None, (1, 2)])
def test_an_option_that_cannot_be_spelled_is_named(option):
    class Odd(Pruner):
        def __init__(self, noise=option):
            self.noise = noise

    with pytest.raises(BenchError, match="Odd: the default of 'noise'"):
        describe(Odd)


SHIPPED = [(registry, name) for registry in REGISTRIES for name in cards.shipped(registry.kind)]


@pytest.mark.parametrize(("registry", "name"), SHIPPED, ids=[name for _, name in SHIPPED])
def test_every_card_says_what_its_class_does(registry, name):
    card = registry.card(name)
    assert card.title and card.summary and card.citation
    cls = registry.load(name)
    base = {"backbone": Backbone, "pruner": Pruner, "recoverer": Recoverer}[registry.kind]
    assert issubclass(cls, base)
    assert describe(cls).options == card.options
    for pattern, replacement in card.keys:
        assert pattern and isinstance(replacement, str)
    if registry.kind == "backbone":
        assert card.default in card.variants
        for variant in card.variants.values():
            frames = variant.frames or 27
            lengths = [frames] * variant.blocks
            with torch.device("meta"):
                backbone = cls(frames=frames, lengths=lengths, **variant.parameters())
            assert len(backbone.blocks) == variant.blocks


def test_every_card_stands_in_a_folder_that_is_read():
    folders = {f"{kind}s" for kind in cards.FOLDERS}
    found = {path.name for path in (ROOT / "baselines").iterdir() if any(path.glob("*.toml"))}
    assert found - {"motion", "published", "recipes", "skeletons"} == folders
    assert {name for _, name in SHIPPED} >= {"mixste", "tps", "tpc", "tra", "tri"}


def test_a_faulty_card_names_its_fields(tmp_path):
    path = tmp_path / "faulty.toml"
    path.write_text('title = "T"\nsummary = "S"\ncolour = "red"\n')
    with pytest.raises(BenchError) as refused:
        cards.read(path, cards.Card)
    assert all(word in str(refused.value) for word in ("faulty.toml", "citation", "colour"))
    path.write_text("title = ")
    with pytest.raises(BenchError, match=r"faulty.toml is not a valid card.*Invalid value"):
        cards.read(path, cards.Card)


@pytest.mark.parametrize("k", [0, -2])
def test_a_clustering_without_neighbours_is_refused(k):
    with pytest.raises(BenchError, match=f"k = {k}.*at least 1"):
        build_pruner(parse(f"mixste-243+tpc~k={k}:81@3").pruner)


@pytest.mark.parametrize("heads", [0, 7])
def test_heads_that_do_not_divide_the_width_are_refused(heads):
    with torch.device("meta"), pytest.raises(BenchError, match=f"heads = {heads}.*width 512"):
        build(f"mixste-243+tps:81@3+tra~heads={heads}")
