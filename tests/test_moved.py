"""Nothing moved: keys are planned as they were; test_index has the committed reports."""

import json

import planned
import pytest
from paths import ROOT

from htpbench.study import loading

KEYS = json.loads((ROOT / "tests" / "data" / "keys.json").read_text())


def test_every_study_has_its_keys():
    assert KEYS.keys() == set(loading.names())


@pytest.mark.parametrize("name", KEYS)
def test_keys_are_planned_as_they_were(name):
    assert planned.planned(name) == KEYS[name]
