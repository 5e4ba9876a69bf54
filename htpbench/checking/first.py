"""The first look at data, before anything is measured with it."""

from __future__ import annotations

from pathlib import Path

from htpbench.checking.judge import doubts
from htpbench.motion.dataset import Dataset

SEEN = ".seen"  # a folder beside the rows: a file for each data set, by fingerprint and source


def first_doubts(data: Dataset, source: str | None, folder: Path) -> list[str]:
    """What is doubtful of data that was not measured with before; [] where it was looked at.

    folder: of results, which remembers what was seen.
    """
    seen = folder / SEEN / f"{data.fingerprint}.{source or data.detections}.txt"
    if seen.exists():
        return []
    found = [verdict.text for verdict in doubts(data, source)]
    seen.parent.mkdir(parents=True, exist_ok=True)
    seen.write_text("".join(f"{text}\n" for text in found), encoding="utf-8")
    return found
