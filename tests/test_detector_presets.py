"""Presets fitted to a real detector: long drift, no gaps, sides of the whole body exchanged."""

import numpy as np
import pytest

from htpbench.motion.detections import displacement, simulate
from htpbench.motion.skeleton import LEFT, MIRROR, RIGHT

FRAMES, VIEWS = 400, 200
SIDES = [*LEFT, *RIGHT]

# As drawn before presets could state more than scales: a joint in px, its confidence, sums of all.
DRAWN = {
    "clean": (
        72.75154056920347,
        121.66704895120894,
        0.7394194895625797,
        1335876.487187831,
        4315.088896247189,
    ),
    "sh": (
        68.89567006961936,
        117.75119709334584,
        0.6232996733147833,
        1334338.8736134742,
        3841.6592642051633,
    ),
    "cpn": (
        66.87813729601898,
        116.51218596318047,
        0.5619494005998033,
        1333723.7555704697,
        3613.764696025414,
    ),
    "rough": (
        68.92532515882529,
        128.28081330276794,
        0.8070411211247664,
        1330242.2720361361,
        2951.486164229844,
    ),
}


def still(frames):
    """A person (frames, 17, 2) px, 324 px high, whose joints all lie apart."""
    seen = np.empty((frames, 17, 2))
    seen[:] = np.stack([np.linspace(0, 200, 17), np.linspace(0, 324, 17)], axis=-1)
    return seen


@pytest.fixture(scope="module", params=["mediapipe-heavy", "mediapipe-lite"])
def drawn(request):
    """The preset, and of many views its errors before swaps, what was seen, confidence."""
    seen, many = still(FRAMES), []
    for number in range(VIEWS):
        error = displacement(seen, request.param, np.random.default_rng(number))
        many.append((error, *simulate(seen, request.param, np.random.default_rng(number))))
    return request.param, *(np.stack(one) for one in zip(*many, strict=True))


def test_errors_drift_and_jitter_as_found(drawn):
    preset, error, _, _ = drawn
    mean = {"mediapipe-heavy": 4.2, "mediapipe-lite": 6.5}[preset]
    assert np.linalg.norm(error, axis=-1).mean() == pytest.approx(mean, rel=0.1)
    step = np.sqrt(np.sum(np.diff(error, axis=1) ** 2, axis=-1).mean())
    assert step == pytest.approx(0.45 * mean, rel=0.1)
    rest = error - error.mean(axis=(0, 1))
    for lag, expected in ((1, 0.93), (5, 0.62), (9, 0.47), (15, 0.33)):
        found = np.mean(rest[:, :-lag] * rest[:, lag:]) / np.mean(rest**2)
        assert found == pytest.approx(expected, abs=0.08), lag


def test_confidence_is_high_and_says_little(drawn):
    _, error, _, confidence = drawn
    assert confidence.mean() == pytest.approx(0.945, abs=0.015)
    assert (confidence == 0).mean() < 0.003
    distance = np.linalg.norm(error, axis=-1)
    assert -0.4 < np.corrcoef(confidence.ravel(), distance.ravel())[0, 1] < -0.05


def test_nothing_is_held_and_all_sides_swap_at_once(drawn):
    preset, error, found, confidence = drawn
    exact = still(FRAMES) + error
    as_drawn = np.isclose(found, exact).all(axis=-1)  # (VIEWS, FRAMES, 17)
    swapped = ~as_drawn[..., SIDES].any(axis=-1)  # (VIEWS, FRAMES)
    assert as_drawn[~swapped].all()
    assert np.array_equal(found[swapped], exact[:, :, MIRROR][swapped])
    views = swapped.any(axis=1)
    if preset == "mediapipe-heavy":
        assert not views.any()
        return
    assert views.mean() == pytest.approx(0.25, abs=0.07)
    assert swapped[views].mean() == pytest.approx(0.55, abs=0.05)
    assert confidence[swapped].mean() > 0.93
    runs = np.flatnonzero(np.diff(np.pad(swapped[views], ((0, 0), (1, 1))).astype(int).ravel()))
    lengths = np.diff(runs)[::2]
    assert lengths.mean() == pytest.approx(4.7, abs=0.7) and np.quantile(lengths, 0.99) < 30


@pytest.mark.parametrize("preset", DRAWN)
def test_older_presets_draw_what_they_drew(preset):
    found, confidence = simulate(still(300), preset, np.random.default_rng(0))
    numbers = [*found[150, 6], confidence[150, 6], found.sum(), confidence.sum()]
    assert numbers == pytest.approx(DRAWN[preset], rel=1e-12, abs=1e-12)
