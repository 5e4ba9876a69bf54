"""Which rows may be paired, and what their difference is."""

from dataclasses import replace

import pytest
from test_compare import FIRST, MPJPE, rows

from htpbench.errors import BenchError
from htpbench.meters.accuracy import ACTION_MEAN
from htpbench.records.pairing import comparable, difference, paired, unlike


def test_a_difference_weighs_frames():
    found = difference([(rows("b", [54.0, 150.0], [10.0, 30.0]), rows("a", *FIRST))])
    assert found.value == pytest.approx(1.0) and found.subjects == 2
    assert found.of_subjects == pytest.approx(4), "4 without the one, 0 without the other"


def nothing(found):
    """Whether two networks are the same on every clip."""
    return found.value == found.of_subjects == 0


def test_clips_are_paired_by_name():
    turned = {
        metric: replace(row, axis=row.axis[::-1], value=row.value[::-1])
        for metric, row in rows("b", *FIRST).items()
    }
    assert nothing(difference([(turned, rows("a", *FIRST))]))


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
        comparable(rows("b", *FIRST, **conditions), rows("a", *FIRST))


def listed(card, **metrics):
    """A card with further numbers of its clips."""
    return card | {
        f"accuracy.{name}": replace(card[MPJPE], metric=f"accuracy.{name}", value=value)
        for name, value in metrics.items()
    }


def test_every_metric_is_paired_over_its_own_counts():
    pck = "accuracy.pck"
    a, b = (
        listed(rows(name, *FIRST), pck_by_clip=values)
        for name, values in (("a", [90.0, 80.0]), ("b", [94.0, 80.0]))
    )
    assert paired(pck, b, a) and difference([(b, a)], pck).value == pytest.approx(4 * 10 / 40)
    mpjve = "accuracy.mpjve"
    assert not paired(mpjve, b, a)
    a = listed(a, mpjve_by_clip=[1.0, 2.0], velocities_by_clip=[9.0, 1.0])
    b = listed(b, mpjve_by_clip=[2.0, 2.0], velocities_by_clip=[9.0, 1.0])
    assert paired(mpjve, b, a) and difference([(b, a)], mpjve).value == pytest.approx(0.9)
    assert not paired(mpjve, listed(b, velocities_by_clip=[8.0, 1.0]), a)
    assert not paired(mpjve, rows("b", *FIRST), a), "an older meter told MPJPE alone"


def test_means_of_actions_are_paired_too():
    """Two clips of one action, 10 and 30 frames, and one of another, 5 frames."""
    frames, actions = [10.0, 30.0, 5.0], [0, 0, 1]
    a = listed(rows("a", [50.0, 150.0, 90.0], frames), actions_by_clip=actions)
    b = listed(rows("b", [54.0, 150.0, 98.0], frames), actions_by_clip=actions)
    found = difference([(b, a)], ACTION_MEAN.name)
    assert found.value == pytest.approx((4 * 10 / 40 + 8) / 2)
    even = listed(rows("b", [52.0, 152.0, 92.0], frames), actions_by_clip=actions)
    assert difference([(even, a)], ACTION_MEAN.name).interval() == pytest.approx((2, 2))
    assert not paired(ACTION_MEAN.name, rows("b", [1.0, 2.0, 3.0], frames), a)


def test_other_frames_are_refused():
    with pytest.raises(BenchError, match="windows is '1 of 2', not '2 of 2'"):
        comparable(rows("b", [50.0], [10.0], windows="1 of 2"), rows("a", *FIRST))
    with pytest.raises(BenchError, match=r"frames scored is 10.0, not 40.0"):
        comparable(rows("b", [50.0], [10.0]), rows("a", *FIRST))
    with pytest.raises(BenchError, match="was not measured"):
        comparable({}, rows("a", *FIRST))


def test_other_windows_over_the_same_frames_and_other_weights_are_compared():
    other = rows("b", *FIRST, windows="4 of 4", stride=27, weights="w", trained="any")
    comparable(other, rows("a", *FIRST))
    assert nothing(difference([(other, rows("a", *FIRST))]))


def test_the_mean_pose_has_no_flip():
    blind = rows("control: mean pose", *FIRST)
    blind = {m: replace(r, conditions={"data": "a", "detections": "cpn"}) for m, r in blind.items()}
    comparable(blind, rows("a", *FIRST))


def test_unlike_names_every_field_once():
    a, b = (rows("a", *FIRST, **more)["accuracy.mpjpe_by_clip"] for more in ({}, {"x": 1}))
    assert unlike(a, b) == {"x": (None, 1)} and unlike(b, a, {"x"}) == {}
