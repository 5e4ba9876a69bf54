"""Metrics: known answers, independent computations, the official code's numbers, what counts."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from packed import tensors
from paths import golden

from htpbench import metrics
from htpbench.errors import BenchError
from htpbench.motion.skeleton import JOINTS, MIRROR

STEP = torch.tensor([3.0, 4.0, 0.0])  # 5 long
NAN = float("nan")
BY_POSE = [metrics.mpjpe, metrics.n_mpjpe, metrics.p_mpjpe, metrics.pck, metrics.auc]
BY_FRAMES = [metrics.mpjve, partial(metrics.acceleration_error, rate=50.0)]


def people(*shape, seed=0):
    """Poses (*shape, 17, 3) in mm, about as large as people, pelvis at the origin."""
    poses = 300 * torch.randn(*shape, 17, 3, generator=torch.Generator().manual_seed(seed))
    return poses - poses[..., :1, :]


def pair(*shape):
    targets = people(*shape)
    return targets + 0.2 * people(*shape, seed=1), targets


def test_n_mpjpe_of_known_poses():
    one = torch.tensor([1.0, 0.0, 0.0]).expand(17, 3)
    target = STEP.expand(17, 3)
    assert metrics.n_mpjpe(one, target).item() == 4.0  # scaled to (3, 0, 0)
    assert metrics.n_mpjpe(torch.zeros(17, 3), target).item() == 5.0
    poses = people(6)
    scales = torch.tensor([0.01, 0.5, 1.0, 2.0, 70.0, -1.0])[:, None, None]
    assert metrics.n_mpjpe(scales * poses, poses).max() < 1e-3  # each pose has its own scale


def test_n_mpjpe_is_the_least_squares_scale():
    poses, targets = pair(20)
    for pose, target, found in zip(poses, targets, metrics.n_mpjpe(poses, targets), strict=True):
        scale = np.linalg.lstsq(pose.numpy().reshape(-1, 1), target.numpy().ravel())[0][0]
        assert metrics.mpjpe(scale * pose, target).item() == pytest.approx(found.item(), rel=1e-5)


def horn(pose, target):
    """P-MPJPE of one pose with the rotation from Horn's quaternions (1987) instead of an SVD."""
    p, t = pose - pose.mean(0), target - target.mean(0)
    total = np.zeros((4, 4))
    for (x, y, z), (u, v, w) in zip(p, t, strict=True):  # q p = t q, both as linear maps of q
        right = np.array([[0, -x, -y, -z], [x, 0, z, -y], [y, -z, 0, x], [z, y, -x, 0]])
        left = np.array([[0, -u, -v, -w], [u, 0, -w, v], [v, w, 0, -u], [w, -v, u, 0]])
        total += left.T @ right
    a, b, c, d = np.linalg.eigh((total + total.T) / 2)[1][:, -1]  # the largest eigenvalue's
    turn = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a - b * b + c * c - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a - b * b - c * c + d * d],
        ]
    )
    turned = p @ turn.T
    scale = (turned * t).sum() / (turned**2).sum()
    return np.linalg.norm(scale * turned - t, axis=1).mean()


def test_p_mpjpe_equals_horns_quaternions():
    targets = people(60).double()
    poses = torch.cat([people(20, seed=1), pair(20)[0], -people(20)]).double()  # some reflected
    expected = [horn(*each) for each in zip(poses.numpy(), targets.numpy(), strict=True)]
    assert np.allclose(metrics.p_mpjpe(poses, targets), expected, rtol=1e-9)


@pytest.mark.parametrize("metric", [metrics.mpjpe, metrics.n_mpjpe, metrics.p_mpjpe])
def test_errors_do_not_depend_on_the_batch_or_the_order_of_joints(metric):
    poses, targets = pair(2, 5)
    found = metric(poses, targets)
    assert found.shape == (2, 5)
    assert torch.allclose(metric(poses[1, 3], targets[1, 3]), found[1, 3])
    assert torch.allclose(metric(poses.flip(-2), targets.flip(-2)), found)
    assert metrics.p_mpjpe(poses, targets).mean() < metrics.n_mpjpe(poses, targets).mean()


def test_metrics_equal_the_official_code():
    case = tensors(golden()["losses-a"])
    poses, targets = case["prediction"], case["target"]
    found = {
        "mpjpe": metrics.mpjpe(poses, targets).mean(),
        "n_mpjpe": metrics.n_mpjpe(poses, targets).mean(),
        "p_mpjpe_per_frame": metrics.p_mpjpe(poses, targets).flatten().float(),
        "velocity": metrics.mpjve(poses, targets).mean(),
        "mb_velocity": metrics.mpjve(poses, targets).mean(),
    }
    for name, value in found.items():
        assert torch.allclose(value, case[name], rtol=1e-5, atol=1e-6), name


def test_motion_errors_of_known_motion():
    targets = people(1).expand(6, -1, -1)
    time = torch.arange(6.0)[:, None, None]
    walking = targets + time * STEP
    falling = targets + time**2 / 2 * STEP
    assert metrics.mpjve(targets + STEP, targets).tolist() == [0.0] * 5  # an offset has no speed
    assert torch.allclose(metrics.mpjve(walking, targets), torch.tensor(5.0))
    assert metrics.acceleration_error(walking, targets, 50.0).max() < 1.0  # rounding of 1e-4 mm
    found = metrics.acceleration_error(falling.double(), targets.double(), 50.0)
    assert found.shape == (4,) and torch.allclose(found, torch.tensor(5.0 * 50**2).double())


def test_one_jumping_joint():
    targets = people(2, 7)
    poses = targets.clone()
    poses[1, 3, 16] += 34 * STEP / 5  # 34 mm at one of 17 joints: 2 mm of a pose
    still = [0.0] * 6
    rounded = metrics.mpjve(poses, targets).round(decimals=3).tolist()
    assert rounded == [still, [0.0, 0.0, 2.0, 2.0, 0.0, 0.0]]
    rounded = metrics.acceleration_error(poses, targets, rate=1.0).round(decimals=3).tolist()
    assert rounded == [still[:5], [0.0, 2.0, 4.0, 2.0, 0.0]]


def test_acceleration_does_not_depend_on_the_frame_rate_of_a_smooth_error():
    time = torch.arange(0, 2, 0.02).double()[:, None, None]  # s, 50 Hz
    targets = people(1).double().expand(len(time), -1, -1)
    poses = targets + 40 * time.sin() * STEP
    at_50 = metrics.acceleration_error(poses, targets, 50.0).mean()
    at_25 = metrics.acceleration_error(poses[::2], targets[::2], 25.0).mean()
    assert at_25.item() == pytest.approx(at_50.item(), rel=0.02)


def test_pck_counts_joints_strictly_below_the_threshold():
    targets = people(3).double().round()
    poses = targets.clone()
    poses[0, 16] += 30 * STEP  # exactly 150 mm: out
    poses[1, 16, 2] += 149.5
    poses[2, [7, 9]] += 1000.0  # Spine and Neck/Nose do not count
    assert metrics.pck(poses, targets).tolist() == pytest.approx([100 * 13 / 14, 100, 100])
    assert metrics.pck(poses, targets, joints=(15, 16)).tolist() == [50, 100, 100]
    assert metrics.pck(poses, targets, threshold=149.5).tolist()[1] == pytest.approx(100 * 13 / 14)


@pytest.mark.parametrize("metric", [metrics.pck, metrics.auc])
def test_pck_and_auc_are_root_relative(metric):
    poses, targets = (x.double() for x in pair(4))
    assert torch.allclose(metric(poses + 700.0, targets - 60.0), metric(poses, targets))
    poses[:, 0] += 1000.0  # a wrong root makes every joint wrong
    assert metric(poses, targets).tolist() == [0.0] * 4


def test_the_14_joints_of_mpi_inf_3dhp():
    limbs = {"Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle"}
    expected = {"Head", "Thorax", *(side + limb for side in "LR" for limb in limbs)}
    assert {JOINTS[joint] for joint in metrics.PCK_JOINTS} == expected
    assert len(metrics.PCK_JOINTS) == 14
    assert sorted(MIRROR[list(metrics.PCK_JOINTS)]) == sorted(metrics.PCK_JOINTS)


@pytest.mark.parametrize("steps", [0, 1, 17, 29, 30, 31])
def test_auc_at_its_thresholds(steps):
    targets = people(1).round()
    poses = targets + steps * STEP  # every joint exactly 5 mm times steps away
    poses[:, 0] = targets[:, 0]
    expected = 100 * max(30 - steps, 0) / 31  # thresholds above; the truth itself has 30 of 31
    assert metrics.auc(poses, targets).item() == pytest.approx(expected, rel=1e-6)


def slow_auc(pose, target):
    """AUC of one root-relative pose, word by word."""
    shares = []
    for step in range(31):
        near = 0
        for joint, name in enumerate(JOINTS):
            if name not in ("Hip", "Spine", "Neck"):
                near += math.dist(pose[joint], target[joint]) < 5 * step
        shares.append(100 * near / 14)
    return sum(shares) / len(shares)


def test_auc_equals_a_slow_one():
    poses, targets = (x.double() for x in pair(40))
    poses[:20] = targets[:20].round() + 5 * ((poses - targets)[:20] / 5).round()  # whole numbers,
    targets[:20] = targets[:20].round()
    poses[:20, :, 1:] = targets[:20, :, 1:]  # one axis: distances fall on thresholds
    expected = [slow_auc(*each) for each in zip(poses.tolist(), targets.tolist(), strict=True)]
    assert 0 < min(expected) < max(expected) < 100 * 30 / 31
    assert metrics.auc(poses, targets).tolist() == pytest.approx(expected, rel=1e-9)


def test_frame_noise_is_of_the_kept_frames():
    truth = people(2, 9)[..., :2]
    number = torch.arange(9.0)[:, None, None]
    detections = torch.cat([truth + number * STEP[:2], torch.rand(2, 9, 17, 1)], dim=-1)
    kept = torch.tensor([[0, 4, 8], [1, 2, 7]])
    found = metrics.frame_noise(detections, truth, kept)
    assert torch.allclose(found, 5.0 * kept, atol=1e-3)
    valid = torch.ones(2, 9, dtype=torch.bool)
    valid[0, 4] = False
    detections[0, 4] = NAN
    found = metrics.frame_noise(detections, truth, kept, valid)
    assert found.isnan().tolist() == [[False, True, False], [False] * 3]


def test_mean_of_action_means():
    errors = torch.tensor([1.0, 10.0, 2.0, 3.0])
    actions = ["Eating", "Posing", "Eating", "Eating"]
    assert metrics.mean_of_action_means(errors, actions) == 6.0  # the mean over frames is 4
    assert metrics.mean_of_action_means(errors.flip(0), actions[::-1]) == 6.0


@pytest.mark.parametrize("metric", BY_POSE)
def test_poses_that_are_not_valid_never_count(metric):
    poses, targets = pair(3, 4)
    valid = torch.rand(3, 4, generator=torch.Generator().manual_seed(0)) < 0.5
    expected = metric(poses[valid], targets[valid])
    poses[~valid], targets[~valid] = NAN, 0.0
    found = metric(poses, targets, valid=valid)
    assert found.shape == (3, 4) and 0 < valid.sum() < 12
    assert found.isnan().equal(~valid)
    assert found[valid].equal(expected)


@pytest.mark.parametrize("metric", BY_FRAMES)
def test_motion_across_frames_that_are_not_valid_never_counts(metric):
    poses, targets = pair(2, 9)
    valid = torch.tensor([[1, 1, 0, 1, 1, 1, 1, 0, 1], [1] * 9]).bool()
    runs = metric(poses[0, :2], targets[0, :2]) if metric is metrics.mpjve else torch.empty(0)
    expected = torch.cat([runs, metric(poses[0, 3:7], targets[0, 3:7])])
    whole = metric(poses[1], targets[1])
    poses[~valid], targets[~valid] = 1e9, NAN
    found = metric(poses, targets, valid=valid)
    assert found[0][~found[0].isnan()].equal(expected)
    assert found[1].equal(whole)


@pytest.mark.parametrize("metric", [*BY_POSE, *BY_FRAMES])
@pytest.mark.parametrize("wrong", [NAN, float("inf")])
def test_a_number_that_is_none_is_refused_where_it_counts(metric, wrong):
    poses, targets = pair(2, 4)
    poses[1, 2, 7, 0] = wrong
    for each, name in (((poses, targets), "poses"), ((targets, poses), "targets")):
        with pytest.raises(BenchError, match=f"{name}: 1 of 8 hold NaN or infinity"):
            metric(*each)


@pytest.mark.parametrize("metric", [*BY_POSE, *BY_FRAMES])
def test_unlike_shapes_are_refused(metric):
    poses, targets = pair(2, 4)
    with pytest.raises(BenchError, match="nothing is broadcast"):
        metric(poses, targets[:1])
    with pytest.raises(BenchError, match="one for each pose"):
        metric(poses, targets, valid=torch.ones(4, dtype=torch.bool))
    with pytest.raises(BenchError, match=r"expected torch\.bool"):
        metric(poses, targets, valid=torch.ones(2, 4))


def test_other_bad_input():
    poses, targets = pair(2)
    with pytest.raises(BenchError, match="at least 3 frames"):
        metrics.acceleration_error(poses, targets, 50.0)
    with pytest.raises(BenchError, match="at least 2 frames"):
        metrics.mpjve(poses[0], targets[0])
    for rate in (0.0, -50.0, NAN, float("inf")):
        with pytest.raises(BenchError, match="frame rate"):
            metrics.acceleration_error(poses, targets, rate)
    with pytest.raises(BenchError, match="poses of 16 joints"):
        metrics.pck(poses[:, 1:], targets[:, 1:])
    for errors, actions in ((torch.ones(3), ["Eating"]), (torch.ones(0), [])):
        with pytest.raises(BenchError, match="one name for each error"):
            metrics.mean_of_action_means(errors, actions)
    with pytest.raises(BenchError, match=r"errors\[valid\]"):
        metrics.mean_of_action_means(torch.tensor([1.0, NAN]), ["Eating", "Posing"])
