"""Where tests find material outside the project; a test skips with a reason where it is absent."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"
SHARED = ROOT.parent / "shared"
REAL_MOTION = SHARED / "motion" / "cmu17.npz"

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is not here")
needs_real_motion = pytest.mark.skipif(not REAL_MOTION.is_file(), reason="no real motion here")


def golden():
    """Name -> JSON of every golden case; what is committed goes before ../shared."""
    found = {}
    committed = Path(os.environ.get("HTPBENCH_GOLDEN", GOLDEN))
    for folder in (committed, SHARED / "golden", SHARED / "golden-further"):
        for path in sorted(folder.glob("*.json")):
            found.setdefault(path.stem, path)
    return found
