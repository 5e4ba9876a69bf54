"""Accuracy: known answers, the official code's numbers, every frame scored once."""

from types import SimpleNamespace

import numpy as np
import pytest
import small
import torch
from packed import tensors
from paths import golden

from htpbench import metrics
from htpbench.learning import losses
from htpbench.measuring import kept, prediction, scoring
from htpbench.measuring.context import Context
from htpbench.measuring.controls import every_third, mean_pose
from htpbench.measuring.evaluation import prepare
from htpbench.measuring.prediction import Prediction, flip, lift, predict
from htpbench.meters.accuracy import ACCELERATIONS, MOTION, VELOCITIES, Accuracy, names_of
from htpbench.network.build import build
from htpbench.network.contracts import Lifted
from htpbench.study.settings import EvaluationSettings
from htpbench.study.study import Study
from htpbench.systems.combination import parse


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def rotation(seed=0):
    """A proper rotation, (3, 3) float64."""
    q, _ = torch.linalg.qr(noise(3, 3, seed=seed).double())
    return q * torch.det(q)


@pytest.fixture(scope="module")
def evaluation():
    return prepare(small.motion(), 9, "seq2seq")


def errors(lifter, evaluation, augment=False):
    """MPJPE (n,) of the frames that a lifter is scored on."""
    return scores(predict(lifter, evaluation.views, evaluation.windows, augment), evaluation)


def scores(found, evaluation):
    targets = torch.from_numpy(evaluation.views.poses3d[found.rows])
    return metrics.mpjpe(torch.from_numpy(found.poses), targets).numpy()


class Teacher(torch.nn.Module):
    """A lifter that knows the truth by the 2D clip it sees, and adds `offset` metres to joint 1."""

    def __init__(self, evaluation, offset=0.0, frames=None):
        super().__init__()
        views, index = evaluation.views, evaluation.windows.index
        self.known = {views.poses2d[row][..., :2].tobytes(): views.poses3d[row] for row in index}
        self.backbone = SimpleNamespace(channels=2, inputs=("poses2d",))
        self.centred = frames is not None
        self.frames, self.offset = frames, offset
        self.centre = (index.shape[1] - 1) // 2

    def forward(self, poses2d, replay=None):
        targets = np.stack([self.known[clip.numpy().tobytes()] for clip in poses2d])
        frames = torch.arange(targets.shape[1]) if self.frames is None else self.frames
        poses = torch.from_numpy(targets)[:, frames] / 1000.0  # (B, f, J, 3) m
        poses[:, :, 1, 0] += self.offset
        poses = poses + 5.0  # the root is set to 0 by the meter
        return Lifted(poses, frames.expand(len(poses), -1), ())


def test_mpjpe_of_known_offsets():
    targets = noise(2, 5, 17, 3)
    offset = torch.zeros(17, 3)
    offset[4] = torch.tensor([3.0, 4.0, 0.0])  # one joint, 5 away
    found = metrics.mpjpe(targets + offset, targets)
    assert found.shape == (2, 5)
    assert torch.allclose(found, torch.tensor(5 / 17))


def test_p_mpjpe_forgives_similarities_but_no_reflection():
    targets = noise(6, 17, 3).double()
    moved = 1.7 * targets @ rotation() + torch.tensor([100.0, -20.0, 3.0])
    assert metrics.p_mpjpe(moved, targets).max() < 1e-9
    mirrored = targets * torch.tensor([-1.0, 1.0, 1.0])
    assert metrics.p_mpjpe(mirrored, targets).min() > 0.1
    poses = noise(6, 17, 3, seed=1).double()
    again = 0.3 * poses @ rotation(2) - 4.0
    assert torch.allclose(metrics.p_mpjpe(again, targets), metrics.p_mpjpe(poses, targets))


def aligned_error(pose, target):
    """P-MPJPE of one pose by Kabsch's rotation and the least-squares scale, in numpy."""
    p, t = pose - pose.mean(0), target - target.mean(0)
    u, _, vt = np.linalg.svd(t.T @ p)
    turn = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
    turned = p @ turn.T
    scale = (turned * t).sum() / (turned * turned).sum()
    return np.linalg.norm(scale * turned - t, axis=1).mean()


def test_p_mpjpe_equals_another_construction():
    poses, targets = noise(40, 17, 3), noise(40, 17, 3, seed=1)
    expected = [aligned_error(*pair) for pair in zip(poses.numpy(), targets.numpy(), strict=True)]
    assert np.allclose(metrics.p_mpjpe(poses, targets), expected, atol=1e-5)


def test_losses_of_known_motion():
    still = noise(1, 1, 17, 3).expand(2, 4, -1, -1)
    assert losses.temporal_consistency(still) == 0 == losses.velocity(still, still + 1)
    walking = still + torch.arange(4.0)[:, None, None]  # every coordinate 1 m a frame
    weights = torch.tensor(losses.JOINT_WEIGHTS)
    weighted = (3**0.5 * weights).mean()
    assert losses.temporal_consistency(walking).item() == pytest.approx(weights.mean().item())
    assert losses.velocity(walking, still).item() == pytest.approx(3**0.5, rel=1e-5)
    assert losses.weighted_mpjpe(still + 1, still).item() == pytest.approx(weighted.item(), 1e-5)
    one = losses.mixste_loss(still[:, :1] + 1, still[:, :1])
    assert one.item() == pytest.approx(weighted.item(), 1e-5)


def test_the_loss_of_norms_is_what_the_official_units_give():
    """MPJPE + 0.1 of the norms' distance, both in millimetres; in metres, a thousandth of it."""
    poses, targets = noise(2, 13, 17, 3), noise(2, 13, 17, 3, seed=1)
    mine, theirs = (1000 * one.double().numpy() for one in (poses, targets))
    apart = [
        np.linalg.norm(
            np.cross(mine[:, :-gap], mine[:, gap:]) - np.cross(theirs[:, :-gap], theirs[:, gap:]),
            axis=-1,
        ).mean()
        for gap in (8, 12)  # 16 and 24 are longer than the clip
    ]
    expected = np.linalg.norm(mine - theirs, axis=-1).mean() + 0.1 * np.mean(apart)
    assert losses.hdformer_loss(poses, targets).item() == pytest.approx(expected / 1000, rel=1e-5)
    short = poses[:, :8], targets[:, :8]
    assert losses.hdformer_loss(*short) == losses.mpjpe(*short)


def test_metrics_and_losses_equal_the_official_code():
    case = tensors(golden()["losses-a"])
    poses, targets = case["prediction"], case["target"]
    found = {
        "joint_weights": torch.tensor(losses.JOINT_WEIGHTS),
        "weighted_mpjpe": losses.weighted_mpjpe(poses, targets),
        "temporal_consistency": losses.temporal_consistency(poses),
        "velocity": losses.velocity(poses, targets),
        "mixste_total": losses.mixste_loss(poses, targets),
        "mpjpe": metrics.mpjpe(poses, targets).mean(),
        "p_mpjpe_per_frame": metrics.p_mpjpe(poses, targets).flatten().float(),
        "pose_2d_flipped": flip(case["pose_2d"]),
    }
    for name, value in found.items():
        assert torch.allclose(value, case[name], rtol=1e-5, atol=1e-6), name


def test_flipping_twice_changes_nothing():
    poses = noise(2, 3, 17, 3)
    assert flip(flip(poses)).equal(poses)
    once = flip(poses)
    assert once[..., 1, 0].equal(-poses[..., 4, 0]) and once[..., 1, 1:].equal(poses[..., 4, 1:])
    assert once[..., 0, 0].equal(-poses[..., 0, 0])


def test_the_truth_scores_zero_on_every_frame_once(evaluation):
    found = predict(Teacher(evaluation), evaluation.views, evaluation.windows, augment=False)
    assert found.rows.tolist() == list(range(22 + 23)) == evaluation.rows.tolist()
    assert scores(found, evaluation).max() < 0.01
    measured = {one.metric: one for one in scoring.measure(found, evaluation)}
    assert tuple(sorted(measured)) == tuple(sorted(small.metrics("accuracy")))
    for name in ("mpjpe", "mpjpe_action_mean", "p_mpjpe", "n_mpjpe", "mpjve"):
        assert measured[f"accuracy.{name}"].value < 0.01
    assert measured["accuracy.acceleration_error"].value < 20  # mm/s^2 of float32 metres
    assert measured["accuracy.pck"].value == 100
    assert measured["accuracy.auc"].value == pytest.approx(100 * 30 / 31)
    assert measured["accuracy.frames_by_clip"].value == [22, 23]


def test_a_known_offset_in_metres_comes_out_in_millimetres(evaluation):
    assert np.allclose(errors(Teacher(evaluation, 0.034), evaluation), 34 / 17, atol=1e-3)


def test_zeros_score_the_distance_of_the_root(evaluation):
    lifter = Teacher(evaluation)
    lifter.known = {key: np.zeros_like(value) for key, value in lifter.known.items()}
    expected = np.linalg.norm(evaluation.views.poses3d, axis=-1).mean(axis=1)  # (N,)
    assert np.allclose(errors(lifter, evaluation), expected, atol=1e-3)


def test_seq2frame_scores_the_centre_of_every_window():
    evaluation = prepare(small.motion(), 9, "seq2frame")
    centre = errors(Teacher(evaluation, frames=torch.tensor([4])), evaluation)
    assert len(centre) == 45 and centre.max() < 0.01
    several = Teacher(evaluation, frames=torch.tensor([0, 4, 8]))
    assert len(errors(several, evaluation)) == 45
    edge = Teacher(evaluation, frames=torch.tensor([0, 8]))
    edge.recoverer = None
    with pytest.raises(ValueError, match="lost the centre"):
        errors(edge, evaluation)


class Halves(torch.nn.Module):
    """Says joint 1 is 1 m off in x, whichever way the clip is mirrored."""

    backbone = SimpleNamespace(channels=2, inputs=("poses2d",))
    centred = False

    def forward(self, poses2d, replay=None):
        poses = torch.zeros(*poses2d.shape[:3], 3)
        poses[..., 1, 0] = 1.0
        return Lifted(poses, torch.arange(poses.shape[1]).expand(len(poses), -1), ())


def test_flip_averaging_mirrors_back():
    poses, *_ = lift(Halves(), torch.zeros(2, 9, 17, 2), augment=True)
    assert torch.allclose(poses[..., 1, 0], torch.tensor(0.5))
    assert torch.allclose(poses[..., 4, 0], torch.tensor(-0.5))


@pytest.mark.parametrize("text", ["mixste.tiny-9+tpc:3@1", "mixste.tiny-9+tpc:3@1+tri"])
def test_the_mirrored_pass_keeps_the_same_frames_only_where_poses_come_out_there(text, monkeypatch):
    torch.manual_seed(0)
    lifter, asked = build(text).eval(), []
    forward = lifter.forward

    def spy(poses2d, replay=None):
        asked.append(replay)
        return forward(poses2d, replay=replay)

    monkeypatch.setattr(lifter, "forward", spy)
    lift(lifter, noise(2, 9, 17, 2), augment=True)
    assert asked[0] is None
    assert (asked[1] is not None) == ("tri" not in text)


def test_the_batch_does_not_change_a_number(evaluation, monkeypatch):
    torch.manual_seed(0)
    lifter = build(small.PRUNED)
    found = [errors(lifter, evaluation, augment=True)]
    monkeypatch.setattr(prediction, "BATCH", 1)
    found.append(errors(lifter, evaluation, augment=True))
    assert np.allclose(*found, atol=1e-2)


def test_the_mean_pose_is_the_best_constant(evaluation):
    found = mean_pose(evaluation)
    assert found.rows.tolist() == list(range(45))
    truth = evaluation.views.poses3d
    expected = np.linalg.norm(truth - evaluation.mean_pose, axis=-1).mean(axis=1)
    assert np.allclose(scores(found, evaluation), expected, atol=1e-3)


@pytest.mark.parametrize("pipeline", ["seq2seq", "seq2frame"])
def test_every_third_frame_is_right_where_it_looked_and_interpolated_between(pipeline):
    """Two clips of 22 and 23 frames; the teacher knows the truth at frames 0, 3, 6, ... of each."""
    evaluation = prepare(small.motion(), 5, pipeline)
    slow = prepare(small.motion(), 5, pipeline, every=3)
    centre = torch.tensor([2]) if pipeline == "seq2frame" else None
    found = every_third(Teacher(slow, frames=centre), evaluation, augment=False, device="cpu")
    assert found.rows.tolist() == list(range(45))
    truth = evaluation.views.poses3d
    for start, stop in ((0, 22), (22, 45)):
        seen = np.arange(start, stop, 3)
        flat = [
            np.interp(np.arange(start, stop), seen, truth[seen, j, k])
            for j in range(17)
            for k in range(3)
        ]
        expected = np.stack(flat, axis=1).reshape(-1, 17, 3)
        assert np.allclose(found.poses[start:stop], expected, atol=1e-2)


def test_every_third_frame_of_few_windows_looks_at_what_they_need():
    torch.manual_seed(0)
    lifter = build(small.NETWORK)
    whole = prepare(small.motion(), 9, "seq2seq")
    few = prepare(small.motion(), 9, "seq2seq", limit=2)
    every, some = (every_third(lifter, one, True, "cpu") for one in (whole, few))
    assert some.rows.tolist() == few.rows.tolist() and len(some.rows) < len(every.rows)
    assert np.allclose(some.poses, every.poses[np.isin(every.rows, some.rows)], atol=1e-3)


def test_measurements_weigh_frames_and_name_clips(evaluation):
    rows = np.array([0, 1, 22])  # two frames of the first clip, one of the second
    poses = evaluation.views.poses3d[rows].copy()
    poses[:, 5, 2] += 17.0 * np.array([1, 1, 4])
    measured = {one.metric: one for one in scoring.measure(Prediction(rows, poses), evaluation)}
    mpjpe = measured["accuracy.mpjpe"]
    assert (mpjpe.value, mpjpe.samples) == (pytest.approx(2.0, 1e-4), 1)
    by_clip, frames = measured["accuracy.mpjpe_by_clip"], measured["accuracy.frames_by_clip"]
    assert by_clip.value == pytest.approx([1.0, 4.0], 1e-4) and frames.value == [2.0, 1.0]
    assert by_clip.axis == frames.axis == [clip.name for clip in evaluation.views.clips]
    assert not set(measured) & names_of(MOTION), "no three frames follow each other"


def test_every_mean_is_that_of_its_clips(evaluation):
    rows = np.concatenate([np.arange(3, 9), np.arange(11, 15), np.arange(22, 45)])  # with a gap
    torch.manual_seed(0)
    poses = evaluation.views.poses3d[rows] + 20 * torch.randn(len(rows), 17, 3).numpy()
    measured = {one.metric: one for one in scoring.measure(Prediction(rows, poses), evaluation)}
    counts = {"mpjve": "velocities", "acceleration_error": "accelerations"}
    for name in ("mpjpe", "p_mpjpe", "n_mpjpe", "pck", "auc", *counts):
        means = measured[f"accuracy.{name}_by_clip"]
        weights = measured[f"accuracy.{counts.get(name, 'frames')}_by_clip"]
        assert means.axis == weights.axis
        whole = np.average(means.value, weights=weights.value)
        assert whole == pytest.approx(measured[f"accuracy.{name}"].value, rel=1e-6), name
    assert measured["accuracy.velocities_by_clip"].value == [5 + 3, 22]
    assert measured["accuracy.accelerations_by_clip"].value == [4 + 2, 21]
    actions = dict(zip(means.axis, measured["accuracy.actions_by_clip"].value, strict=True))
    named = sorted({clip.action for clip in evaluation.views.clips})
    assert actions == {clip.name: named.index(clip.action) for clip in evaluation.views.clips}


def test_motion_errors_stay_within_clips_and_know_the_rate():
    """A joint that steps by 34 mm between frames 4 and 5 of clip one, and between the clips."""
    evaluation = prepare(small.motion(), 9, "seq2seq")
    rows = evaluation.rows
    poses = evaluation.views.poses3d.copy()
    poses[5:22, 5, 2] += 34.0
    measured = {one.metric: one for one in scoring.measure(Prediction(rows, poses), evaluation)}
    pairs, triples = 21 + 22, 20 + 21
    assert measured["accuracy.mpjve"].value == pytest.approx(2.0 / pairs, 1e-3)
    expected = (2.0 + 2.0) * 50**2 / triples
    assert measured["accuracy.acceleration_error"].value == pytest.approx(expected, 1e-2)
    slow = prepare(small.motion(), 9, "seq2seq", every=2)
    assert slow.card["frame_rate"] == 25.0 and set(slow.views.rates) == {25.0}
    poses = slow.views.poses3d.copy()
    poses[3:11, 5, 2] += 34.0  # views of 11 and 12 frames
    found = {one.metric: one for one in scoring.measure(Prediction(slow.rows, poses), slow)}
    expected = (2.0 + 2.0) * 25**2 / (9 + 10)
    assert found["accuracy.acceleration_error"].value == pytest.approx(expected, 1e-2)


def test_what_cannot_be_measured_is_not_promised(tmp_path):
    fields = {"meters": ["accuracy"], "weights": "random", "combinations": [small.NETWORK]}
    study = Study(name="small", title="", pipeline="seq2frame", **fields)
    context = Context(study)

    def promised(text, **evaluation):
        settings = EvaluationSettings(data=str(small.motion_file(tmp_path)), **evaluation)
        found = Accuracy().applies(context.under(evaluation=settings), parse(text))
        return {metric.name for metric in found}

    moving = names_of(MOTION) | {VELOCITIES, ACCELERATIONS}
    assert promised(small.NETWORK) == set(small.metrics("accuracy"))
    assert promised(small.NETWORK, windows=5) == set(small.metrics("accuracy")) - moving
    some = context.under(pipeline="seq2seq")
    assert {m.name for m in Accuracy().applies(some, parse(f"{small.PRUNED}:3"))}.isdisjoint(moving)


@pytest.mark.parametrize("text", ["mixste.tiny-9+tps:5@0,3@1+tri", "mixste.tiny-9+tpc:3@2"])
def test_selection_counts_sum_to_windows_times_r(text):
    torch.manual_seed(0)
    lifter = build(text)
    evaluation = prepare(small.motion(), 9, "seq2frame", limit=5)
    measured = {one.metric: one for one in kept.measure(lifter, evaluation)}
    found = measured["selection.frequency"]
    assert sum(found.value) == 5 * 3 and found.samples == 5
    assert len(found.value) == len(found.axis) == 9
    if lifter.centred:
        assert found.value[4] == 5, "the centre survives"
    elif "tps" in text:
        assert found.value == [5, 0, 0, 0, 5, 0, 0, 0, 5]


def test_nothing_is_selected_without_pruning(evaluation):
    assert kept.measure(build(small.NETWORK), evaluation) == []
