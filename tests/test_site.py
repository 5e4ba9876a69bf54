"""docs/ as a site: it builds without a warning, and says of the code what the code says."""

import sys

import pytest
import small
from paths import ROOT

from htpbench.study.study import Study
from htpbench.systems import catalogue
from htpbench.systems.registry import METERS

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def pages():
    """The module that makes pages of the code."""
    sys.path.insert(0, str(DOCS))
    try:
        import reference_pages
    finally:
        sys.path.remove(str(DOCS))
    return reference_pages


def test_every_key_and_metric_stands_in_the_reference(pages):
    keys, metrics = pages.study_keys(), pages.metrics()
    for name in Study.model_fields:
        assert f"| `{name}` |" in keys or f"`[{name}]`" in keys
    for name in catalogue.meters():
        for metric in METERS.load(name).declared():
            assert f"| `{metric.name}` |" in metrics
    assert "speed-ups refer to it" in keys, "what stands behind a field in the source"


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("sphinx")
    command = "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", tmp_path / "trees"
    code, out, err = small.finished(small.launched(*command, DOCS, tmp_path / "site", cwd=ROOT))
    assert code == 0, out + err
    page = (tmp_path / "site" / "tutorial.html").read_text()
    assert "how-to/ci.html" in page
    verbs = (tmp_path / "site" / "reference" / "verbs.html").read_text()
    assert "--wait-quiet" in verbs and "--history" in verbs
    api = (tmp_path / "site" / "reference" / "api.html").read_text()
    assert "Pruner" in api and "Recoverer" in api
