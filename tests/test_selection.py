"""Even positions, a kept frame, top-r and clustering."""

from fractions import Fraction
from math import floor

import pytest
import torch

from htpbench.network.contracts import Shapes
from htpbench.network.positions import (
    density_peaks,
    distances,
    even_positions,
    published_pooling,
    top,
    with_kept,
)


def smooth(seed, n=243, width=16):
    """(1, n, width): random features that change slowly, as a body does."""
    steps = torch.randn(1, n, width, generator=torch.Generator().manual_seed(seed))
    return steps.cumsum(dim=1) / n**0.5


@pytest.mark.parametrize(
    ("n", "r", "expected"),
    [
        (5, 3, [0, 2, 4]),
        (9, 5, [0, 2, 4, 6, 8]),
        (7, 4, [0, 2, 4, 6]),
        (6, 3, [0, 3, 5]),  # 2.5 goes up
        (4, 3, [0, 2, 3]),  # 1.5 goes up
        (10, 4, [0, 3, 6, 9]),
        (5, 2, [0, 4]),
        (5, 1, [2]),
        (6, 1, [2]),
        (1, 1, [0]),
        (3, 3, [0, 1, 2]),
    ],
)
def test_even_positions_by_hand(n, r, expected):
    assert even_positions(n, r).tolist() == expected


def test_even_positions_are_the_rounded_fractions():
    for n in [*range(2, 40), 81, 121, 243, 351]:
        for r in range(2, n + 1):
            exact = [floor(Fraction(i * (n - 1), r - 1) + Fraction(1, 2)) for i in range(r)]
            assert even_positions(n, r).tolist() == exact, (n, r)


def test_the_hourglass_of_the_paper_keeps_its_ends_and_its_centre():
    first = even_positions(243, 121)
    second = first[even_positions(121, 81)]
    for kept in (first, second):
        assert (kept[0], kept[-1]) == (0, 242)
        assert 121 in kept
    gaps = even_positions(121, 81).diff()  # a step of exactly 1.5
    assert gaps.tolist() == [2, 1] * 40


def test_the_nearest_position_moves_to_the_kept_one():
    positions = torch.tensor([[0, 4, 8]]).expand(6, 3)
    keep = torch.tensor([0, 1, 2, 5, 6, 8])
    assert with_kept(positions, keep).tolist() == [
        [0, 4, 8],
        [1, 4, 8],
        [2, 4, 8],  # 0 and 4 are as near: the lower moves
        [0, 5, 8],
        [0, 6, 8],  # 4 and 8 are as near
        [0, 4, 8],
    ]
    assert with_kept(positions, None) is positions


def test_top_takes_the_highest_the_kept_and_the_lower_of_equals():
    scores = torch.tensor([[1.0, 5.0, 5.0, 0.0, 3.0]])
    assert top(scores, 2, None).tolist() == [[1, 2]]
    assert top(scores, 1, None).tolist() == [[1]]
    assert top(scores, 3, None).tolist() == [[1, 2, 4]]
    assert top(scores, 2, torch.tensor([3])).tolist() == [[1, 3]]


def test_distances_are_exactly_symmetric_euclidean_over_root_width():
    features = torch.randn(2, 50, 7, generator=torch.Generator().manual_seed(0))
    d = distances(features)
    assert d.equal(d.transpose(1, 2))
    assert not d.diagonal(dim1=1, dim2=2).any()
    pair = (features[1, 3].double() - features[1, 40].double()).norm() / 7**0.5
    assert d[1, 3, 40].item() == pytest.approx(pair.item(), rel=1e-6)


def test_distances_are_symmetric_even_where_cdist_is_not(monkeypatch):
    exact, features = torch.cdist, smooth(0, n=40)

    def rounded(*args, **settings):
        return exact(*args, **settings) + 1e-6 * torch.rand(40, 40)

    monkeypatch.setattr(torch, "cdist", rounded)
    d = distances(features)
    assert d.equal(d.transpose(1, 2))
    assert not d.diagonal(dim1=1, dim2=2).any()


def peaks_by_definition(features, k):
    """DPC-kNN frame by frame, in double precision with the same tie rule."""
    d = distances(features[None])[0].tolist()
    n = len(d)
    rho = [2.718281828459045 ** -(sum(x * x for x in sorted(row)[:k]) / k) for row in d]
    scores = []
    for i in range(n):
        denser = [j for j in range(n) if rho[j] > rho[i] or (rho[j] == rho[i] and j < i)]
        delta = min((d[i][j] for j in denser), default=max(map(max, d)))
        scores.append(delta * rho[i])
    return scores


@pytest.mark.parametrize("k", [1, 2, 5, 100])
def test_density_peaks_by_definition(k):
    features = torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(k))
    expected = torch.tensor(peaks_by_definition(features, min(k, 20)), dtype=torch.float64)
    torch.testing.assert_close(density_peaks(features[None], k)[0], expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("repeated", [False, True])
def test_kept_frames_do_not_depend_on_precision_or_threads(seed, repeated):
    features = smooth(seed)
    if repeated:  # a body that stands still, and that comes back
        features[:, 40:60] = features[:, 40:41]
        features[:, 200:220] = features[:, 100:120]
    kept = top(density_peaks(features, 2), 81, None)
    assert top(density_peaks(features.double(), 2), 81, None).equal(kept)
    assert top(density_peaks(features, 2), 81, None).equal(kept)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert top(density_peaks(features, 2), 81, None).equal(kept)
    finally:
        torch.set_num_threads(before)


def test_equal_frames_are_ranked_by_position():
    scores = density_peaks(torch.zeros(1, 9, 4), 2)
    assert top(scores, 3, None).tolist() == [[0, 1, 2]]
    assert scores.isfinite().all()


def test_noise_breaks_ties_as_the_official_code_does():
    features = torch.tensor([[[0.0], [1.0], [10.0], [11.0]]])  # two pairs, all equally dense
    assert top(density_peaks(features, 2), 2, None).tolist() == [[0, 2]]
    noise = torch.tensor([[0.1, 0.9, 0.2, 0.8]])
    assert top(density_peaks(features, 2, noise), 2, None).tolist() == [[1, 3]]


def test_published_pooling_is_18_a_pooled_value_and_nothing_without_pooling():
    shapes = Shapes(243, (243, 121), (121, 81), 243, 17, 512, 512, 17, False)
    assert published_pooling(shapes) == 18 * (243 + 121) * 512
    assert published_pooling(shapes._replace(stacked=3, features=3 * 512)) == 0
