"""What may be compared, and what the refusal of unlike evaluation cards says."""

from dataclasses import replace

import pytest

from htpbench.compare import difference, unlike
from htpbench.errors import BenchError
from htpbench.rows import Row

CARD = {"data": "a", "detections": "cpn", "flip": True, "windows": "2 of 2", "stride": 81}
FIRST = [50.0, 150.0], [10.0, 30.0]


def rows(name, values, frames, **conditions):
    axis = [f"clip {index}" for index in range(len(frames))]
    told = {"axis": axis, "conditions": {**CARD, **conditions}, "key": name, "environment": "e"}
    metrics = {"mpjpe_by_clip": ("mm", values), "frames_by_clip": ("1", frames)}
    return {
        f"accuracy.{metric}": Row(
            study="s", combination=name, metric=f"accuracy.{metric}", value=value, unit=unit, **told
        )
        for metric, (unit, value) in metrics.items()
    }


def test_a_difference_weighs_frames():
    value, low, high = difference(rows("b", [54.0, 150.0], [10.0, 30.0]), rows("a", *FIRST))
    assert value == pytest.approx(1.0) and low == pytest.approx(0.0) and high == pytest.approx(4.0)


def test_clips_are_paired_by_name():
    turned = {
        metric: replace(row, axis=row.axis[::-1], value=row.value[::-1])
        for metric, row in rows("b", *FIRST).items()
    }
    assert difference(turned, rows("a", *FIRST)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("conditions", "told"),
    [
        ({"data": "b"}, "data is 'b', not 'a'"),
        ({"detections": "gt", "flip": False}, "detections is 'gt', not 'cpn'; flip is False"),
        ({"frame_rate": 25.0}, "frame_rate is 25.0, not None"),
    ],
)
def test_unlike_cards_are_refused_by_field(conditions, told):
    with pytest.raises(BenchError, match=told):
        difference(rows("b", *FIRST, **conditions), rows("a", *FIRST))


def test_other_frames_are_refused():
    with pytest.raises(BenchError, match="windows is '1 of 2', not '2 of 2'"):
        difference(rows("b", [50.0], [10.0], windows="1 of 2"), rows("a", *FIRST))
    with pytest.raises(BenchError, match=r"frames scored is 10.0, not 40.0"):
        difference(rows("b", [50.0], [10.0]), rows("a", *FIRST))
    with pytest.raises(BenchError, match="was not measured"):
        difference({}, rows("a", *FIRST))


def test_other_windows_over_the_same_frames_and_other_weights_are_compared():
    other = rows("b", *FIRST, windows="4 of 4", stride=27, weights="w", trained="any")
    assert difference(other, rows("a", *FIRST)) == (0, 0, 0)


def test_the_mean_pose_has_no_flip():
    blind = rows("control: mean pose", *FIRST)
    blind = {m: replace(r, conditions={"data": "a", "detections": "cpn"}) for m, r in blind.items()}
    assert difference(blind, rows("a", *FIRST)) == (0, 0, 0)


def test_unlike_names_every_field_once():
    a, b = (rows("a", *FIRST, **more)["accuracy.mpjpe_by_clip"] for more in ({}, {"x": 1}))
    assert unlike(a, b) == {"x": (None, 1)} and unlike(b, a, {"x"}) == {}
