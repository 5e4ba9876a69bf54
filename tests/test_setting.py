"""Conditions: what two rows must share, and what must not be taken for the same."""

import small

from htpbench.study.study import Study
from htpbench.systems.combination import parse
from htpbench.systems.registry import PRUNERS, import_file

NAME = "mixste.tiny-9+mine:3@1+tri"
PRUNER = """
from htpbench.network.contracts import Pruner
from htpbench.systems.registry import PRUNERS


@PRUNERS.register("mine")
class Mine(Pruner):
    def select(self, view, r):
        return view.kept.new_tensor({positions}).expand(len(view.kept), -1)
"""


def bench(results, **fields):
    fields = {"meters": ["cost"], "combinations": ["mixste.tiny-9"], **fields}
    return small.runner(Study(name="small", title="", **fields), results)


def mine(tmp_path, monkeypatch, positions):
    monkeypatch.setattr(PRUNERS, "registered", {})
    path = tmp_path / "mine.py"
    path.write_text(PRUNER.format(positions=positions))
    import_file(path)


def test_an_edited_pruner_has_other_keys(tmp_path, monkeypatch):
    mine(tmp_path, monkeypatch, [0, 1, 2])
    before = bench(tmp_path).keys(parse(NAME), "cost")
    assert before == bench(tmp_path).keys(parse(NAME), "cost")
    mine(tmp_path, monkeypatch, [0, 1, 3])
    assert not set(before.values()) & set(bench(tmp_path).keys(parse(NAME), "cost").values())
    assert "code" not in bench(tmp_path).conditions(parse("mixste.tiny-9"), "cost")


def test_a_pruner_that_returns_other_frames_than_asked_fails_instead_of_being_measured(
    tmp_path, monkeypatch
):
    for positions, said in (([0, 1, 2, 3], "of shape [2, 4]"), ([2, 1, 0], "do not rise: 2, 1, 0")):
        mine(tmp_path, monkeypatch, positions)
        fields = {"meters": ["accuracy"], "weights": "random", "evaluation": {"windows": 1}}
        here = bench(tmp_path, **fields)
        with here.writer() as writer:
            row = here.measure(parse(NAME), writer)["accuracy.mpjpe"]
        assert row.status == "failed" and said in row.reason


def test_a_time_of_another_environment_is_another_time(tmp_path):
    here = bench(tmp_path)
    before = here.keys(parse("mixste.tiny-9"), "time")
    here.context.environment = {**here.context.environment, "id": "other"}
    assert not set(before.values()) & set(here.keys(parse("mixste.tiny-9"), "time").values())


def test_the_pipeline_that_was_asked_for_decides(tmp_path):
    name = parse("mixste.tiny-9+tps:3@1+tri")
    assert bench(tmp_path).context.pipeline(name) == "seq2seq"
    assert bench(tmp_path, pipeline="seq2frame").context.pipeline(name) == "seq2frame"


def test_every_number_of_recovered_frames_can_be_scored(tmp_path):
    fields = {"meters": ["accuracy"], "weights": "random", "evaluation": {"windows": 1}}
    here = bench(tmp_path, **fields)
    with here.writer() as writer:
        for f in range(1, 9):
            found = here.measure(parse(f"mixste.tiny-9+tps:3@1+tri:{f}"), writer)
            assert found["accuracy.mpjpe"].status == "ok", f
