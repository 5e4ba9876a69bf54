"""Nothing moved: keys are planned as they were, committed reports are what their rows say."""

import json
import re
from functools import cache

import planned
import pytest
import small
from paths import ROOT

from htpbench.report import build
from htpbench.study import loading

KEYS = json.loads((ROOT / "tests" / "data" / "keys.json").read_text())
REPORTS = ROOT / "reports"
TEXTS = (".md", ".csv", ".tex", ".html")


def test_every_study_has_its_keys():
    assert KEYS.keys() == set(loading.names())


@pytest.mark.parametrize("name", KEYS)
def test_keys_are_planned_as_they_were(name):
    assert planned.planned(name) == KEYS[name]


@cache
def committed():
    """The studies whose report is committed."""
    return [path.name for path in sorted(REPORTS.iterdir()) if path.name in loading.names()]


@pytest.mark.parametrize("name", committed())
def test_committed_reports_are_what_their_rows_say(name, tmp_path, monkeypatch):
    small.undrawn(monkeypatch)
    build.report_study(loading.load(name), small.committed(), tmp_path)
    written = sorted((tmp_path / name).iterdir())
    expected = [path for path in (REPORTS / name).iterdir() if path.suffix in TEXTS]
    assert [path.name for path in written] == sorted(path.name for path in expected)
    for path in written:
        assert without_figures(path) == without_figures(REPORTS / name / path.name)


def without_figures(path):
    text = re.sub(r"<figure>.*?</figure>\n?", "", path.read_text(), flags=re.DOTALL)
    return re.sub(r"^!\[.*\)\n\n", "", text, flags=re.MULTILINE)
