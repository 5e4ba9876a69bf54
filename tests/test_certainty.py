"""What a study may say of all its networks at once."""

import numpy as np
import pytest
from test_regimes import CUT, WHOLE, told

from htpbench.records.results import Results
from htpbench.records.verdicts import compare
from htpbench.report.certainty import briefly, certainty
from htpbench.study import study

OTHER = "mixste.tiny-81+tps:5@1+tri"
BASE = np.array([50.0, 60.0, 70.0, 55.0, 65.0, 80.0])
CARD = {"data": "d", "split": "test", "detections": "cpn", "windows": "2", "weights": "w"}


def asked(training=True, **fields):
    trained = {"training": study.Training(regimes=["any"], seeds=[0], steps=1)}
    fields = {"objectives": ["cost.flops", "accuracy.mpjpe"], **fields}
    weights = trained if training else {"weights": "random"}
    names = [WHOLE, CUT, OTHER]
    return study.Study(
        name="s", title="", meters=["accuracy"], combinations=names, **weights, **fields
    )


def rows(seeds, shift=5.0, subjects=6):
    """Three networks: the reference, one that is worse by `shift`, one that is as good."""
    rng = np.random.default_rng(0)
    for seed in seeds:
        base = BASE[:subjects] + rng.normal(0, 1)
        for name, more in ((WHOLE, 0.0), (CUT, shift), (OTHER, 0.001)):
            noise = rng.normal(0, 0.001, subjects)
            yield from told(name, seed, (base + more + noise).tolist(), "any", **CARD)


def lines(table):
    return table.set_index("combination").to_dict("index")


def test_verdicts_ties_and_what_could_be_told():
    table = lines(certainty(asked(), Results(rows((0, 1, 2)))))
    assert table[CUT]["is"] == "worse" and table[OTHER]["is"] == "same"
    assert table[CUT]["over"] == "6 subjects (6.0) x 3 seeds"
    assert table[WHOLE]["group"] == table[OTHER]["group"] == "1" and table[CUT]["group"] == "2"
    assert 0.3 < float(table[CUT]["tells (mm)"]) < 0.5, "the floor is half a percent of 63 mm"
    assert table[CUT]["MPJPE minus the reference's (mm)"].startswith("+5.00 [+")


@pytest.mark.parametrize(
    ("seeds", "subjects", "why"),
    [
        ((0, 1), 6, "2 training seeds, 3 are needed"),
        ((0, 1, 2), 4, "4 subjects, 5 are needed"),
    ],
)
def test_too_few_get_no_verdict_and_the_reason(seeds, subjects, why):
    table = certainty(asked(), Results(rows(seeds, subjects=subjects)))
    assert {line["is"] for line in lines(table).values()} == {"unsure", ""}
    assert lines(table)[CUT]["why unsure"] == why
    assert briefly(table) == f"no verdicts on errors: {why}" and "group" not in table


def test_a_study_that_trained_nothing_needs_no_seeds():
    mine = [*rows((0,))]
    table = lines(certainty(asked(training=False), Results(mine)))
    assert table[CUT]["is"] == "worse" and "seeds" not in table[CUT]["over"]
    nothing = certainty(asked(training=False), Results([]))
    assert nothing.empty and briefly(nothing) == ""


def test_compare_crosses_seeds_and_wants_three_where_networks_were_trained_apart():
    (found,), _ = compare(WHOLE, CUT, apart_trained((0, 1, 2)))
    assert found.how == "paired by clip, over 6 subjects x 3 seeds" and found.verdict == "worse"
    assert found.b - found.a == pytest.approx(found.difference)
    (found,), _ = compare(WHOLE, CUT, apart_trained((0,)))
    assert found.verdict == "unsure" and found.why == "1 training seed, 3 are needed"
    (found,), _ = compare(WHOLE, CUT, [*rows((0,))])
    assert found.verdict == "worse", "one network for both: nothing was trained for it"


def apart_trained(seeds):
    """Each network trained for its schedule."""
    card = {name: value for name, value in CARD.items() if name != "weights"}
    rng = np.random.default_rng(0)
    found = []
    for seed in seeds:
        for name, more in ((WHOLE, 0.0), (CUT, 9.0)):
            errors = BASE + more + rng.normal(0, 0.1, len(BASE))
            found += told(name, seed, errors.tolist(), "same", f"{name} {seed}", **card)
    return found
