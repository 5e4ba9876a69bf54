"""What names data: schemes, options, the command line; protocols and views in general."""

from dataclasses import replace

import numpy as np
import pytest
import small

from htpbench.datasets import open_data
from htpbench.datasets.npz import Npz
from htpbench.datasets.synthetic import Synthetic
from htpbench.errors import BenchError
from htpbench.measuring import scoring
from htpbench.measuring.evaluation import prepare
from htpbench.measuring.prediction import Prediction
from htpbench.motion.dataset import Dataset, Motion, join
from htpbench.motion.protocols import cut
from htpbench.systems.registry import DATASETS


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    return small.command_line(tmp_path, monkeypatch, capsys)


def test_schemes_paths_and_options(tmp_path):
    path = small.motion_file(tmp_path)
    assert isinstance(open_data("synthetic"), Synthetic)
    assert open_data("synthetic,seed=1").fingerprint != Synthetic().fingerprint
    for spec in (f"{path}", f"npz:{path}", f"npz:{path},floor=checked"):
        data = open_data(spec)
        assert isinstance(data, Npz) and data.name == "motion" and data.splits == ("train", "test")
    odd = path.rename(tmp_path / "a:b,c=d.npz")
    assert open_data(str(odd)).name == "a:b,c=d"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("synthetic,sed=1", "unknown option of synthetic: 'sed'; did you mean seed?"),
        ("synthetic,seed=one", "seed=one: expected a whole number"),
        ("synthetic,seed=-1", "seed=-1: expected 0 or more"),
        ("synthetic,seed=1,seed=2", "seed has two values; expected one"),
        ("bvh:walks,skip_bad=yes", "skip_bad=yes: expected true or false"),
        ("bvh:walks,floor=oto", "unknown floor 'oto'; did you mean auto"),
        ("h36m:", "'h36m:' names no path; expected h36m:PATH"),
        ("bwh:walks", "unknown data set 'bwh'; did you mean bvh?"),
        ("walk.BVH", "unknown motion 'walk.BVH'; .* did you mean bvh:walk.BVH?"),
        ("bvh:walks,skeleton=mixamoo", "unknown skeleton 'mixamoo'; did you mean mixamo"),
        ("bvh:walks,subject=S(", r"subject=S\(: no regular expression"),
        (r"bvh:walks,subject=(Z\d)?", "found nothing in 'S1_walk'"),
        ("bvh:twice", "walk is there twice"),
        ("npz:gone.npz", "there is no file gone.npz; expected"),
    ],
)
def test_what_is_wrong_in_a_name_is_told(tmp_path, monkeypatch, spec, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "walks").mkdir()
    (tmp_path / "walks" / "S1_walk.bvh").write_text(small.walk())
    (tmp_path / "twice").mkdir()
    for name in ("walk.bvh", "walk.BVH"):
        (tmp_path / "twice" / name).write_text(small.walk())
    with pytest.raises(BenchError, match=said):
        open_data(spec)


def test_options_reach_the_reader_from_the_command_line(tmp_path, run):
    (tmp_path / "walks").mkdir()
    (tmp_path / "walks" / "S1_walk.bvh").write_text(small.walk())
    (tmp_path / "walks" / "S2_walk.bvh").write_text("HIERARCHY")
    command = ("run", small.NETWORK, "--meter", "accuracy", "--weights", "random", "--data")
    code, _, err = run(*command, "bvh:walks")
    assert code == 2 and "S2_walk.bvh: line" in err and "(--skip-bad)" in err
    code, out, err = run(*command, "bvh:walks", "--skip-bad")
    assert code == 0 and small.NETWORK in out
    assert "walks: 1 of 2 files left out; walks/S2_walk.bvh: line" in err
    code, _, err = run(*command, "bvh:walks,skip-bad=true", "--skeleton", "mixamo")
    assert code == 2 and "the nearest that is known, mixamo, needs also" in err
    code, _, err = run(*command, "synthetic", "--skip-bad")
    assert code == 2 and "--skip-bad and --skeleton go with --data bvh:PATH" in err


def test_what_was_put_right_is_said_in_the_card(tmp_path):
    np.savez(tmp_path / "slow.npz", **(small.arrays() | {"frame_rate": np.array(25.0)}))
    slow, fast = open_data(f"{tmp_path}/slow.npz"), small.motion()
    assert prepare(slow, 9, "seq2seq").card["prepared"] == {"resampled": "25 Hz"}
    assert "prepared" not in prepare(fast, 9, "seq2seq").card
    (tmp_path / "walk.bvh").write_text(small.walk())
    both = join([slow, open_data(f"bvh:{tmp_path}/walk.bvh")])
    assert both.card == {"resampled of slow": "25 Hz"}
    evaluation = prepare(slow, 9, "seq2seq")
    assert not evaluation.following(evaluation.rows, 1).any()  # interpolated: no velocities


def test_protocols_have_names(tmp_path):
    views = small.motion().views("test")
    assert cut(views, 9, protocol="once").index.tolist() == cut(views, 9).index.tolist()
    with pytest.raises(BenchError, match="protocol 'mixst'; did you mean mixste"):
        cut(views, 9, protocol="mixst")
    assert "protocol" not in prepare(small.motion(), 9, "seq2seq").card


def test_a_study_names_its_protocol(tmp_path, run):
    path = small.study(tmp_path, meters=("accuracy",))
    path.write_text(path.read_text().replace("flip = false", 'flip = false\nprotocol = "hott"'))
    code, _, err = run("sweep", path)
    assert code == 2 and "unknown evaluation protocol 'hott'" in err


class Seen(Dataset):
    """Views of small motion, as data brings them that has cameras and detections of its own."""

    def __init__(self, path="", **changes):
        self.name, self.fingerprint, self.card = "seen", "0123456789ab", {}
        self.changes = changes

    splits = ("test",)
    world = property(lambda self: Motion("seen", small.motion().motion("test")))

    def takes(self, split):
        return self.world.takes(split)

    def views(self, split, source=None, cameras="rotate", seed=0):
        views = self.world.views(split, "gt", cameras, seed)
        changes = {name: change(views) for name, change in self.changes.items()}
        return replace(views, source="own", **changes)


def test_data_of_others_is_known_by_its_options_and_its_code(monkeypatch):
    class Wide(Seen):
        def __init__(self, path, width: int = 1000):
            super().__init__()

    monkeypatch.setitem(DATASETS.registered, "wide", Wide)
    first, again, other = (open_data(f"wide:a{more}") for more in ("", "", ",width=500"))
    assert first.fingerprint == again.fingerprint != other.fingerprint
    monkeypatch.setattr("htpbench.datasets.digest", lambda cls: "edited")
    assert open_data("wide:a").fingerprint != first.fingerprint


def test_invalid_frames_are_not_scored():
    whole = prepare(Seen(), 9, "seq2seq")
    valid = np.ones(len(whole.views.poses2d), bool)
    valid[5:8] = False
    part = prepare(Seen(valid=lambda _: valid), 9, "seq2seq")
    assert whole.card["detections"] == "own" and np.array_equal(part.rows, np.flatnonzero(valid))
    following = part.following(part.rows, 1)
    assert not following[4] and following[:4].all() and following[5:10].all()


def test_where_no_frame_is_valid_nothing_can_be_scored():
    views = Synthetic().views("test")
    views = replace(views, valid=np.zeros_like(views.valid))
    evaluation = replace(prepare(small.motion(), 9, "seq2seq"), views=views)
    with pytest.raises(BenchError, match="no frame of the windows that were scored is valid"):
        scoring.measure(Prediction(np.arange(9), np.zeros((9, 17, 3), np.float32)), evaluation)


def test_views_of_unlike_rates_are_told():
    rates = prepare(Seen(rates=lambda v: v.rates * [1, 0.5]), 9, "seq2seq").card["frame_rate"]
    assert rates == [25.0, 50.0]


def test_some_views_and_rows_keep_what_belongs_to_them():
    views = small.motion().views("test", cameras="all")
    some = views.only(views.camera == 2)
    assert some.camera.tolist() == [2, 2] and some.clip.tolist() == [0, 1]
    for number, view in enumerate(np.flatnonzero(views.camera == 2)):
        mine = some.poses2d[some.start[number] : some.stop[number]]
        assert np.array_equal(mine, views.poses2d[views.start[view] : views.stop[view]])


@pytest.mark.parametrize("change", ["poses3d", "cameras"])
def test_data_without_truth_or_cameras_says_so(tmp_path, run, monkeypatch, change):
    from htpbench.systems.registry import DATASETS

    class Blind(Seen):
        def __init__(self, path):
            super().__init__(**{change: lambda _: None})

    DATASETS.register("blind")(Blind)
    data = ("--weights", "random", "--data", "blind:")
    code, _, err = run("run", small.NETWORK, "--meter", "accuracy", *data)
    if change == "poses3d":
        assert code == 2 and "the data has no 3D poses" in err
        code, _, err = run("lift", small.NETWORK, *data)
    assert code == 0, err
    code, _, err = run("lift", "d3dp.tiny-9", "--rule", "j-agg", "--hypotheses", 2, *data)
    assert code == (0 if change == "poses3d" else 2) and ("no cameras" in err) == bool(code)
    code, out, err = run("run", small.PRUNED, "--meter", "selection", *data)
    assert code == 0 and "frame noise" not in out, err
    code, _, err = run("train", small.NETWORK, "--steps", 1, "--data", "blind:", "--out", "t")
    assert code == 2 and "has no train" in err


def test_data_with_cameras_of_its_own_is_not_joined():
    with pytest.raises(BenchError, match="seen has cameras of its own; expected motion alone"):
        join([small.motion(), Seen()])
