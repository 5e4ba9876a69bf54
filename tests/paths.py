"""Where tests find material outside the project; a test skips with a reason where it is absent."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
REAL_MOTION = SHARED / "motion" / "cmu17.npz"

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is not here")
needs_real_motion = pytest.mark.skipif(not REAL_MOTION.is_file(), reason="no real motion here")
