from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from htpbench.datasets import open_data
from htpbench.errors import BenchError
from htpbench.motion.cameras import rig
from htpbench.motion.detections import displacement, noise_model, simulate
from htpbench.motion.skeleton import LEFT, RIGHT

CMU17 = Path(__file__).resolve().parents[2] / "shared" / "motion" / "cmu17.npz"

# published with the noise model: mean px, autocorrelation at 1, 5, 9 frames, mean confidence;
# for a person 340 px high
TABLE = {
    "clean": (2.3, 0.88, 0.61, 0.25, 0.84),
    "sh": (5.0, 0.90, 0.63, 0.25, 0.75),
    "cpn": (6.6, 0.90, 0.63, 0.25, 0.70),
    "rough": (12.7, 0.92, 0.64, 0.26, 0.57),
}


def people(clips):
    """Exact pixels of each clip in one camera after the other."""
    for number, clip in enumerate(clips):
        lens = rig()[number % 4]
        ground = clip.positions[..., :2]
        middle = (ground.min(axis=(0, 1)) + ground.max(axis=(0, 1))) / 2
        yield lens.project(lens.view(clip.positions - [*middle, 0]))


@pytest.fixture(scope="module", params=["synthetic", "cmu17"])
def pixels(request):
    if request.param == "cmu17" and not CMU17.exists():
        pytest.skip("../shared/motion/cmu17.npz is absent")
    motion = open_data("synthetic" if request.param == "synthetic" else str(CMU17))
    return list(people(motion.motion("test")))


def at_table_height(seen):
    """The factor (N, 1, 1) that brings an error to a person of 340 px."""
    return 340 / np.ptp(seen[..., 1], axis=1)[:, None, None]


@pytest.mark.parametrize("preset", TABLE)
def test_error_and_autocorrelation_are_those_of_the_published_table(pixels, preset):
    errors, confidences = [], []
    for number, seen in enumerate(pixels):
        found, confidence = simulate(seen, preset, np.random.default_rng(number))
        error = displacement(seen, preset, np.random.default_rng(number))  # the same draws
        as_drawn = (confidence > 0) & np.isclose(found, seen + error).all(axis=-1)
        error[~as_drawn] = np.nan  # missing, or another limb's
        errors.append(error * at_table_height(seen))
        confidences.append(confidence)
    mean, *correlations, sure = TABLE[preset]
    every = np.concatenate(errors)
    assert np.nanmean(np.linalg.norm(every, axis=-1)) == pytest.approx(mean, abs=0.3)
    centre = np.nanmean(every, axis=0)
    variance = np.nanmean((every - centre) ** 2)
    for lag, expected in zip((1, 5, 9), correlations, strict=True):
        products = [(e[:-lag] - centre) * (e[lag:] - centre) for e in errors if len(e) > lag]
        found = np.nanmean(np.concatenate(products)) / variance
        assert found == pytest.approx(expected, abs=0.05)
    assert np.concatenate(confidences).mean() == pytest.approx(sure, abs=0.03)


def test_shares_of_missing_and_swapped_joints():
    seen = np.zeros((100_000, 17, 2))
    seen[..., 1] = np.linspace(0, 340, 17)
    found, confidence = simulate(seen, "cpn", np.random.default_rng(0))
    error = displacement(seen, "cpn", np.random.default_rng(0))
    missing = confidence == 0
    model = noise_model()
    share = model["miss"]["joint_rate"] * np.mean(model["miss"]["joint_weight"])
    assert missing.mean() == pytest.approx(share + model["miss"]["frame_rate"], rel=0.25)
    swapped = ~missing & ~np.isclose(found, seen + error).all(axis=-1)
    assert swapped[:, LEFT + RIGHT].mean() == pytest.approx(model["swap"]["rate"], rel=0.4)
    middle = [j for j in range(17) if j not in LEFT + RIGHT]
    assert not swapped[:, middle].any()
    lengths = np.diff(np.flatnonzero(np.diff(missing[:, 16].astype(int))))[::2]
    assert lengths.mean() == pytest.approx(model["miss"]["mean_run"], rel=0.3)


def test_a_missing_joint_holds_its_last_detection(pixels):
    held = 0
    for number, seen in enumerate(pixels[:20]):
        found, confidence = simulate(seen, "rough", np.random.default_rng(number))
        error = displacement(seen, "rough", np.random.default_rng(number))
        missing = (confidence == 0) & ~np.isclose(found, seen + error).all(axis=-1)
        frame, joint = np.nonzero(missing[1:] & ~missing[:1])
        assert np.array_equal(found[frame + 1, joint], found[frame, joint])
        held += len(frame)
        for late in np.flatnonzero(missing[0] & ~missing.all(axis=0)):
            assert np.array_equal(found[0, late], found[np.argmin(missing[:, late]), late])
    assert held > 100


def test_short_clips_and_determinism():
    seen = np.random.default_rng(0).uniform(0, 900, (3, 17, 2))
    for frames in (1, 2, 3):
        found, confidence = simulate(seen[:frames], "rough", np.random.default_rng(1))
        assert found.shape == (frames, 17, 2) and confidence.shape == (frames, 17)
        assert np.isfinite(found).all() and confidence.min() >= 0 and confidence.max() <= 1
    first, second = (simulate(seen, "sh", np.random.default_rng(2))[0] for _ in range(2))
    assert np.array_equal(first, second)


def test_an_unknown_detector():
    with pytest.raises(
        BenchError, match="known: clean, cpn, mediapipe-heavy, mediapipe-lite, rough, sh"
    ):
        simulate(np.zeros((2, 17, 2)), "yolo", np.random.default_rng(0))
