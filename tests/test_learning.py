"""The learning curve: every score of every training, the best one marked, where it was scored."""

import json

import numpy as np
from matplotlib.text import Text

from htpbench.report.figures import learning


def card(path, history):
    step, error = min(history, key=lambda point: point[1])
    told = {
        "history": history,
        "best": {"step": step, "mpjpe": error},
        "checked_on": {"data": "cmu17, 05"},
    }
    path.write_text(json.dumps(told))
    return path


def test_every_score_is_drawn_and_the_best_has_a_ring(tmp_path, monkeypatch):
    curves = {"before": [[10, 90.0], [20, 80.0], [30, 85.0]], "after": [[10, 70.0], [20, 60.0]]}
    cards = {name: card(tmp_path / f"{name}.json", curve) for name, curve in curves.items()}
    figures = []
    monkeypatch.setattr(learning, "save", lambda draw, folder, name: figures.append(draw()))
    learning.learning(cards, tmp_path, "learning")
    lines = figures[0].axes[0].get_lines()
    for curve, line, ring in zip(curves.values(), lines[::2], lines[1::2], strict=True):
        assert np.array_equal(line.get_xydata(), curve)
        assert ring.get_xydata().tolist() == [min(curve, key=lambda point: point[1])]
    texts = {text.get_text() for text in figures[0].findobj(Text)}
    assert {"before", "after", "steps", "MPJPE (mm)"} <= texts
    assert any("cmu17, 05" in text for text in texts)
