"""Networks as files: what they say, and that they say it without this project."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small
import torch
from hypothesis import given
from hypothesis import strategies as st
from paths import ROOT

from htpbench.bench import exported as exported_by
from htpbench.exporting.agreement import Agreement, compare
from htpbench.exporting.onnx import written
from htpbench.exporting.plain import Plain
from htpbench.network.build import build
from htpbench.network.positions import ahead, by_products, distances, highest, top
from htpbench.pruners.tps import TPS
from htpbench.systems.registry import PRUNERS

onnx = pytest.importorskip("onnx", reason="pip install htpbench[onnx]")
pytest.importorskip("onnxscript", reason="pip install htpbench[onnx]")
onnxruntime = pytest.importorskip("onnxruntime", reason="pip install htpbench[onnx]")


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """`htpbench`: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    return lambda *asked: (small.call(monkeypatch, *asked), *capsys.readouterr())


def test_a_file_is_written_once_for_all_processes_that_open_it(monkeypatch, tmp_path):
    wrote = []

    def write(lifter, path, told):
        wrote.append(path)
        path.write_bytes(b"a file")

    def made(name=small.NETWORK, seed=0):
        torch.manual_seed(seed)
        return build(name)

    monkeypatch.setattr("htpbench.exporting.onnx.write", write)
    for lifter in (made(), made(), made(small.PRUNED), made(seed=1)):
        with written(lifter, tmp_path) as path:
            assert path.read_bytes() == b"a file" and path.parent == tmp_path
    assert len(wrote) == len({*wrote}) == 3, "another schedule and other weights have their own"
    other = made()
    other.backbone.anything = lambda: None  # whose content nobody can tell
    for _ in range(2):
        with written(other, tmp_path) as path:
            assert path.exists() and path.parent != tmp_path
    assert not path.exists() and len(wrote) == 5


SCORES = st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0, float("inf")]), min_size=1, max_size=12)


@given(SCORES, st.data())
def test_the_highest_are_those_of_a_stable_sort(scores, data):
    r = data.draw(st.integers(1, len(scores)))
    tensor = torch.tensor([scores])
    order = tensor.argsort(dim=1, descending=True, stable=True)
    assert top(tensor, r, None).tolist() == order[:, :r].sort(dim=1).values.tolist()
    assert highest(tensor, r)[0].nonzero()[:, 0].tolist() == sorted(order[0, :r].tolist())
    assert ahead(tensor).sum(dim=-1)[0].tolist() == order[0].argsort().tolist()


def test_what_is_not_a_number_leaves_as_many_positions():
    scores = torch.tensor([[float("nan"), 1.0, float("nan"), 0.0]])
    for r in range(1, 5):
        assert len(set(top(scores, r, None)[0].tolist())) == r


def test_products_are_distances():
    features = torch.randn(2, 30, 64) + 100  # far from 0, as tokens may be
    found = by_products(features) / 8
    assert torch.allclose(found, distances(features), atol=1e-5)


# Clusters, a graph, attention, all recoverers; benchmarks/export_matrix.py tries every cell.
SYSTEMS = [
    "mixste.tiny-9+tpc:5@1,3@3+tri",
    "mixste.tiny-9+htp~edges=1:5@1,3@3+tra",
    "d3dp.tiny-9+tpa:5@1+trc",
    "poseformer.tiny-9+tps:5@1+tra",
]


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_file_says_what_the_network_says(name, tmp_path):
    from htpbench.engines.onnxruntime import opened
    from htpbench.exporting.onnx import write

    torch.manual_seed(0)
    lifter = build(name)
    write(lifter, tmp_path / "a.onnx", {"combination": name})
    told = compare(lifter, opened(tmp_path / "a.onnx"), (lifter.example(n, seed=n) for n in (1, 3)))
    assert told.same == told.clips == 4 and told.holds, told


def test_differences_are_seen():
    lifter = build("mixste.tiny-9+tps:3@1+tri")
    plain = Plain(lifter)

    def moved(*inputs):
        poses, *rest = plain(*inputs)
        return (poses + 1e-4, *rest)

    def lost(*inputs):
        poses, *rest = plain(*inputs)
        return (poses * (float("nan") if len(poses) == 3 else 1), *rest)

    def other(*inputs):
        poses, frames, kept = plain(*inputs)
        return poses + 1, frames, kept.flip(1)

    with torch.inference_mode():
        assert not compare(lifter, moved, [lifter.example(2)]).holds
        some = [lifter.example(count) for count in (2, 3, 2)]
        assert not compare(lifter, lost, some).holds, "what is not a number is no number's equal"
        found = compare(lifter, other, [lifter.example(2)])
    assert (found.same, found.clips) == (0, 2) and not found.holds
    assert not Agreement(32, 20, 0.0).holds, "it chooses other frames"
    assert str(Agreement(2, 2, 1e-6)) == (
        "the same frames kept of 2 of 2 clips, their poses within 1.0e-06 m"
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "lifter.onnx"
    with pytest.MonkeyPatch.context() as patch:
        assert small.call(patch, "export", "mixste.tiny-81+tps:27@1+tri", "--out", path) == 0
    return path


def test_a_file_says_what_it_is(exported):
    told = {one.key: one.value for one in onnx.load(exported).metadata_props}
    assert told["combination"] == "mixste.tiny-81+tps:27@1+tri" and told["frames"] == "81"
    assert json.loads(told["joints"])[0] == "Hip" and len(told["weights_sha256"]) == 64
    assert told["frame_rate"] == "50.0" and "cmu17" in told["trained_on"]
    assert told["licence"] == "MIT" and "half its width" in told["poses2d"]


def test_a_file_runs_without_this_project(exported, tmp_path, monkeypatch):
    """With numpy and onnxruntime alone: no torch, no htpbench; on a clip as the page makes it."""
    site = tmp_path / "site"
    site.mkdir()
    packages = Path(onnxruntime.__file__).parents[1]
    for needed in ("numpy", "numpy.libs", "onnxruntime", "flatbuffers", "google", "packaging"):
        if (packages / needed).exists():
            (site / needed).symlink_to(packages / needed)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "how-to" / "device.md").read_text()
    exec(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0], {})
    asked = [ROOT / "docs" / "run_onnx.py", exported, tmp_path / "clip.npy", tmp_path / "poses.npy"]
    done = subprocess.run(
        [sys.executable, "-S", *asked],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "takes 81 frames" in done.stdout and "[27]" in done.stdout
    poses = np.load(tmp_path / "poses.npy")
    assert poses.shape == (81, 17, 3) and np.abs(poses).max() > 0.1 and not poses[:, 0].any()


def test_torch_reads_its_own_file(call, tmp_path):
    path = tmp_path / "lifter.pt2"
    code, _, err = call("export", "mixste.tiny-81", "--out", str(path))
    assert code == 0 and "the same frames kept of 32 of 32 clips" in err, err
    told = {"combination": ""}
    torch.export.load(path, extra_files=told)
    assert told["combination"] == "mixste.tiny-81"


def test_a_file_that_says_something_else_takes_no_other_one_s_place(call, monkeypatch):
    monkeypatch.setattr(exported_by, "compare", lambda *_: Agreement(32, 3, 0.0))
    Path("lifter.pt2").write_text("a good one")
    code, _, err = call("export", "mixste.tiny-81", "--out", "lifter.pt2")
    assert code == 1 and "not written: the file does not say what mixste.tiny-81 says" in err
    assert Path("lifter.pt2").read_text() == "a good one"


def test_what_cannot_be_traced_is_told(call, monkeypatch):
    class Reads(TPS):
        def select(self, view, r):
            assert view.tokens.sum().item() == view.tokens.sum().item()
            return super().select(view, r)

    monkeypatch.setitem(PRUNERS.registered, "reads", Reads)
    asked = ["mixste.tiny-81+reads:9@1+tri", "--weights", "mixste.tiny-81", "--out", "a.pt2"]
    code, _, err = call("export", *asked)
    assert code == 2 and "cannot be exported" in err and not Path("a.pt2").exists()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["mixste.tiny-81", "--out", "/proc/none/lifter.pt2"], "cannot write"),
        (["mixste.tiny-81", "--out", "lifter.txt"], "ends in .onnx or .pt2"),
        (["mixste-243"], "no weights of mixste-243 come with"),
        (["mixste.tiny-81+tps:9@1", "--pipeline", "seq2seq"], "seq2seq needs a recoverer"),
    ],
)
def test_what_cannot_be_exported_is_told(asked, said, call):
    code, _, err = call("export", *asked)
    assert code == 2 and said in err
