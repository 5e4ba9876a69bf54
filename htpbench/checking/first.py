"""The first look at data, before anything is measured with it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from htpbench.checking.judge import verdicts
from htpbench.checking.verdict import Verdict
from htpbench.motion.dataset import Dataset
from htpbench.motion.filmed import Filmed

QUICK, SOME = 40, 100  # frames of a shot, and takes, that are looked at
SEEN = ".seen"  # a folder beside the rows: a file for each data set, by fingerprint and source


def first_doubts(data: Dataset, source: str | None, folder: Path) -> list[str]:
    """What is doubtful of data that was not measured with before; [] where it was looked at.

    folder: of results, which remembers what was seen.
    """
    seen = folder / SEEN / f"{data.fingerprint}.{source or data.detections}.txt"
    if not isinstance(data, Filmed) or seen.exists():  # other readers judge as they open
        return []
    found = [verdict.text for verdict in doubts(data, source)]
    with suppress(OSError):  # whoever writes rows says what is wrong with the folder
        seen.parent.mkdir(parents=True, exist_ok=True)
        seen.write_text("".join(f"{text}\n" for text in found), encoding="utf-8")
    return found


def doubts(data: Filmed, source: str | None = None) -> list[Verdict]:
    """What is doubtful of data, by few frames of some takes; without a word on what is sound."""
    every = max(1, sum(len(data.takes(split)) for split in data.splits) // SOME)
    return [one for one in verdicts(data, source, QUICK, every) if one.doubtful]
