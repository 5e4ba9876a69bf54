"""Official checkpoints: every layout comes in, poses are those of the official code, and nothing is
written unless all is well."""

import json
import os
import pathlib
import signal

import pytest
import small
import torch
from checkpoints import CASES, LAYOUTS, PASSENGERS, refused, wrapped
from official.common import close

from htpbench.convert.convert import convert
from htpbench.convert.spelling import Spelling
from htpbench.errors import BenchError, OtherLengths
from htpbench.measuring.context import Context
from htpbench.network import weights
from htpbench.network.build import build
from htpbench.study.loading import load


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    return Context(load(str(small.study(tmp_path_factory.mktemp("study")))))


def poses(setting, path, golden):
    """The golden input lifted by what `--weights PATH` gives."""
    mine = setting.under(weights=str(path))
    assert mine.regime(golden.combination) == "same"
    lifter = mine.lifter(golden.combination).eval()
    if golden.combination.pruner:
        lifter.pruner.noise = golden.tensors["density_noise"]
    with torch.inference_mode():
        return lifter(*golden.inputs).poses


def used(golden):
    """The official keys that are one of ours, and not of what is never used."""
    return [key for key in golden.state if weights.official_key(key, golden.combination)]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("golden", CASES, indirect=True)
def test_every_layout_of_every_backbone_gives_the_official_poses(tmp_path, golden, layout, setting):
    hold, said = LAYOUTS[layout]
    source, out = tmp_path / "best.pth", tmp_path / "new" / "best.safetensors"
    torch.save(hold(golden.state), source)
    card, new = convert(source, golden.text, out)
    assert new and card == weights.read(out)[1]
    count = len(used(golden))
    told = card["source"]
    assert (told["layout"], told["keys"], told["found"]) == (said, count, count)
    assert told["missing"] == [] and len(told["sha256"]) == 64
    close(poses(setting, out, golden), golden.expected, golden.tolerance)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol_of_pickle(tmp_path, golden, setting, protocol):
    source, out = tmp_path / "best.pth", tmp_path / "best.safetensors"
    torch.save({"model": golden.state, **PASSENGERS}, source, pickle_protocol=protocol)
    convert(source, golden.text, out)
    close(poses(setting, out, golden), golden.expected, golden.tolerance)


def test_views_other_precisions_and_shared_storages_come_in(tmp_path, golden):
    key = "STEblocks.0.mlp.fc1.weight"
    strange = dict(golden.state)
    both = torch.stack([golden.state[key].T, golden.state[key].T])
    strange[key] = both[1].T  # within a larger storage, columns first
    strange["STEblocks.0.norm1.weight"] = golden.state["STEblocks.0.norm1.weight"].double()
    strange["STEblocks.0.norm1.bias"] = strange["STEblocks.0.norm2.bias"]
    torch.save(strange, tmp_path / "a.pth")
    convert(tmp_path / "a.pth", golden.text, tmp_path / "a.safetensors")
    found, _ = weights.read(tmp_path / "a.safetensors")
    assert found["backbone.spatial.mlp.0.weight"].equal(golden.state[key])
    wide = found["backbone.spatial.norm1.weight"]
    assert wide.dtype == torch.float32 and wide.equal(golden.state["STEblocks.0.norm1.weight"])
    assert found["backbone.spatial.norm1.bias"].equal(golden.state["STEblocks.0.norm2.bias"])


def test_the_verb_says_what_it_found_and_repeats_itself(conversion, golden, monkeypatch, tmp_path):
    torch.save({"model_pos": wrapped(golden.state)}, "best.pth")
    code, said = conversion(golden.text)
    assert code == 0
    count = len(golden.state)
    assert f"keys with module.; {count} of {count} keys (100.0%) of mixste.golden-18" in said
    assert "written: best.safetensors" in said and "sha256: " in said
    assert sorted(os.listdir()) == ["best.json", "best.pth", "best.safetensors"]
    card = json.loads(pathlib.Path("best.json").read_text())
    assert card["source"]["sha256"] in said and "not say how" in card["trained"]
    assert "unchanged: best.safetensors" in conversion(golden.text)[1]
    motion = small.motion_file(tmp_path)
    told = ["--data", motion, "--weights", "best.safetensors", "--meter", "accuracy"]
    assert small.call(monkeypatch, "run", golden.text, f"{golden.text}+tps:9@1+tri", *told) == 0


def test_another_file_is_not_replaced(conversion, golden):
    torch.save(golden.state, "best.pth")
    assert conversion(golden.text, "--out", "mine.safetensors")[0] == 0
    golden.state["head.1.bias"] += 1
    torch.save(golden.state, "best.pth")
    said = refused(conversion, golden.text, "--out", "mine.safetensors")
    assert "mine.safetensors or its card exists and is something else" in said
    pathlib.Path("best.json").write_text("{}")
    assert "name another with --out" in refused(conversion, golden.text)
    assert "ends in .safetensors" in refused(conversion, golden.text, "--out", "mine.pth")


def test_keys_that_do_not_fit_are_listed_in_their_own_spelling(conversion, golden):
    state = golden.state
    for key in ("TTEblocks.1.norm2.weight", "Temporal_pos_embed"):
        del state[key]
    state["fcn.weight"] = torch.ones(1)
    state["head.1.bias"] = torch.ones(4)
    state["head.0.bias"] = state["head.0.bias"].long()
    torch.save({"model": wrapped(state)}, "best.pth")
    said = refused(conversion, golden.text)
    count = len(state) + 1
    for words in (
        f"does not fit mixste.golden-18: {count - 4} of {count} keys ({100 - 400 / count:.1f} %)",
        "missing (2): module.TTEblocks.1.norm2.weight module.Temporal_pos_embed",
        "not known (1): module.fcn.weight",
        "module.head.1.bias is [4], not [3]",
        "module.head.0.bias holds torch.int64, not torch.float32",
    ):
        assert words in said
    assert "--missing" not in said


def test_missing_keys_may_be_allowed_one_by_one(conversion, golden, setting):
    dropped = ("Temporal_pos_embed", "STEblocks.1.norm1.bias")
    for key in dropped:
        del golden.state[key]
    torch.save({"model": wrapped(golden.state)}, "best.pth")
    allowed = ["--missing", "module.Temporal_pos_embed"]
    said = refused(conversion, golden.text, *allowed)
    assert "missing (1): module.STEblocks.1.norm1.bias --missing KEY allows" in said
    assert "misses no such key" in refused(conversion, golden.text, "--missing", "head.1.bias")
    allowed += ["--missing", "backbone.blocks.1.spatial.norm1.bias"]
    code, said = conversion(golden.text, *allowed)
    count = len(golden.state)
    assert code == 0 and f"{count} of {count + 2} keys" in said
    found, card = weights.read(pathlib.Path("best.safetensors"))
    missing = ["backbone.blocks.1.spatial.norm1.bias", "backbone.frame_code"]
    assert card["source"]["missing"] == missing
    assert not found["backbone.blocks.1.spatial.norm1.bias"].any()  # as initialised
    assert "unchanged" in conversion(golden.text, *allowed)[1]
    assert setting.under(weights="best.safetensors").lifter(golden.combination)


@pytest.mark.parametrize("golden", ["motionagformer-eps"], indirect=True)
def test_lengths_of_its_own_are_told(tmp_path, golden):
    torch.save(golden.state, tmp_path / "a.pth")
    with pytest.raises(OtherLengths, match="file serves 18@0 alone, not 18@0, 9@1\nof another sh"):
        convert(tmp_path / "a.pth", f"{golden.text}+tps:9@1+tri", tmp_path / "a.safetensors")


@pytest.mark.parametrize("golden", ["hot_mixste-b"], indirect=True)
def test_a_checkpoint_with_recovery_is_no_backbone_alone(tmp_path, golden):
    torch.save(golden.state, tmp_path / "a.pth")
    with pytest.raises(BenchError, match=r"100.0 %\)\nnot known \(10\):\n  cross_attention"):
        convert(tmp_path / "a.pth", "mixste.golden-21", tmp_path / "a.safetensors")
    convert(tmp_path / "a.pth", golden.text, tmp_path / "a.safetensors")
    assert "recoverer.tra.queries" in weights.read(tmp_path / "a.safetensors")[0]


# Two spellings come to the same key, and nothing else in the file says which.
LOST = ("CHI_blocks.0.norm2.weight", "CHI_blocks.0.norm2.bias",
        "pattention.attn.norm1.weight", "pattention.attn.norm1.bias")  # fmt: skip


@pytest.mark.parametrize("golden", CASES, indirect=True)
def test_our_keys_are_spelled_as_theirs(golden):
    """With one key gone its exact spelling, but where its kind is gone with it and two would do."""
    keys = used(golden)
    for key in keys[::4]:
        ours = weights.official_key(key, golden.combination)
        spelled = Spelling(golden.combination, [k for k in keys if k != key]).of(ours)
        assert weights.official_key(spelled, golden.combination) == ours
        assert spelled == key or key.endswith(LOST)


def test_the_format_before_torch_1_6_is_named_with_a_way_out(conversion, golden):
    torch.save(golden.state, "best.pth", _use_new_zipfile_serialization=False)
    assert "torch before 1.6; write it anew: python -c" in refused(conversion, golden.text)
    torch.save(torch.load("best.pth", weights_only=True), "best.pth")
    assert conversion(golden.text)[0] == 0


def test_no_such_file(conversion, golden):
    assert "best.pth: no such file" in refused(conversion, golden.text)
    os.mkdir("best.pth")
    assert "best.pth: no such file" in refused(conversion, golden.text)


def test_a_folder_that_cannot_be_written(conversion, golden):
    torch.save(golden.state, "best.pth")
    pathlib.Path("file").write_text("in the way")
    assert "cannot write" in refused(conversion, golden.text, "--out", "file/w.safetensors")


def test_drafts_are_taken_away_where_the_disk_is_full(conversion, golden, monkeypatch):
    torch.save(golden.state, "best.pth")

    def full(tensors):
        raise OSError("No space left on device")

    monkeypatch.setattr(weights, "save", full)
    assert "No space left" in refused(conversion, golden.text)


KILLED = """
import os, signal, sys
from htpbench import cli
left, real = int(sys.argv.pop()), os.replace
def replace(*paths):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(*paths)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
os.replace = replace
sys.argv[0] = "htpbench"
cli.main()
"""


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_killed_conversion_resumes(conversion, tmp_path, renames):
    """Killed after so many of the renames of card and tensors."""
    text = "mixste.tiny-9"
    torch.save(build(text).state_dict(), "best.pth")
    assert conversion(text, "--out", "whole.safetensors")[0] == 0
    asked = "weights", "convert", "best.pth", "--as", text
    killed = small.finished(small.started("-c", KILLED, *asked, renames, cwd=tmp_path))
    assert killed[0] == -signal.SIGKILL, killed
    assert (tmp_path / "best.json").exists() == (renames > 0)
    assert (tmp_path / "best.safetensors").exists() == (renames > 1)
    code, said = conversion(text)
    assert code == 0 and f"{'unchanged' if renames > 1 else 'written'}: best.safetensors" in said
    for end in ("json", "safetensors"):
        assert pathlib.Path(f"best.{end}").read_bytes() == pathlib.Path(f"whole.{end}").read_bytes()


@pytest.mark.parametrize("card", ['{"source": "mine"}', "[" * 100_000, "", None])
def test_a_card_of_something_else_is_not_replaced(conversion, golden, card):
    torch.save(golden.state, "best.pth")
    if card is None:
        os.mkfifo("best.json")
    else:
        pathlib.Path("best.json").write_text(card)
    assert "best.safetensors or its card exists and is something else" in refused(
        conversion, golden.text
    )


def test_a_link_to_nowhere_is_something_else(conversion, golden):
    torch.save(golden.state, "best.pth")
    os.symlink("nowhere", "best.safetensors")
    code, said = conversion(golden.text)
    assert code == 2 and "exists and is something else" in said
    assert os.readlink("best.safetensors") == "nowhere" and not os.path.exists("nowhere")
