"""The gate as a test: a pytest plugin that comes with the package (entry point `pytest11`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def htpbench_check() -> Callable[..., None]:
    """A function that fails the test where `htpbench check --study STUDY` would not pass.

    def test_accuracy_and_speed(htpbench_check):
        htpbench_check("mine.toml", require=["time.speedup >= 1.3"])
    """
    return check


def check(
    study: str,
    *,
    against: str | Path | None = None,
    data: str | Sequence[str] | None = None,
    weights: str | None = None,
    fail: Sequence[str] = (),
    require: Sequence[str] = (),
    wait_quiet: float = 0.0,
) -> None:
    """The options are those of the verb; what fails is told as the verb tells it."""
    from htpbench.errors import BenchError
    from htpbench.gate import check as gate
    from htpbench.gate import pinned, telling
    from htpbench.outside.printable import shown
    from htpbench.study.loading import load

    path = pinned.pinned_file(study) if against is None else Path(against)
    try:
        gated = load(study).with_overrides([data] if isinstance(data, str) else data, weights)
        judged = gate.check(gated, path, fail, require, quiet_s=60 * wait_quiet)
    except BenchError as error:
        pytest.fail(shown(str(error)), pytrace=False)
    if judged.code:
        pytest.fail(shown(telling.as_markdown(judged)), pytrace=False)
