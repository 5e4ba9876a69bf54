"""2D held against 3D: what is wrong with a take as a whole, else with each of its shots."""

from __future__ import annotations

from collections import Counter

import numpy as np

from htpbench.checking import body, exactness, guesses, person, times, together
from htpbench.checking.agreement import Pair, plain
from htpbench.checking.hints import truth
from htpbench.checking.look import Look, median
from htpbench.checking.verdict import Finding, Judged
from htpbench.datasets.human36m.facts import BLOCKED
from htpbench.motion.skeleton import MIRROR

GOOD = 8.0  # px of a 1000 px wide image: what is nearer needs few guesses
BAD = 30.0  # more is no detector's error
EXACT = 0.5  # px: nothing can be wrong
PART = 0.1  # of the frames may have their sides exchanged without a word


def compare(looks: list[Look], judged: Judged, source: str) -> None:
    """2D against 3D: plainly, then by what may be wrong of all shots, then of each."""
    away = [plain(one) for one in looks]
    judged.away = median(np.array([median(one) for one in away]))
    unread = judged.has("order of 3D") and body.uneven(looks[0].points) > body.EVEN
    bad = [median(one) > GOOD * look.wide for one, look in zip(away, looks, strict=True)]
    if any(bad) and (unread or judged.has("bones")):
        return  # which joint is which is not known
    found = whole(looks, any(bad))
    found = found or single(looks, away, judged)
    if found and all(one.name == "agreement" for one in found):
        stance = together.stance(looks[0])  # such as 3D in the axes of one of the cameras
        found = [stance] if stance else found
    if found or not any(bad):  # people may walk out of the image
        judged.drop("image")
    judged.findings += found
    judged.findings += [
        one for look in looks if (one := exactness.exactness(look, source)) is not None
    ][:1]
    judged.findings += truth(looks)


def whole(looks: list[Look], bad: bool) -> list[Finding]:
    """What is wrong with a take as a whole: its axes, or which camera is which."""
    found = [together.axes(looks)] if bad or looks[0].shot.image is not None else []
    found += [together.permuted(looks)] if bad else []
    held = sorted((one for one in found if one is not None), key=lambda one: one[1])
    return [finding for finding, _ in held[:1]]


def single(looks: list[Look], away: list[np.ndarray], judged: Judged) -> list[Finding]:
    """What is wrong with each shot; what all shots say of a small lag."""
    tried = [tries(look, median(off)) for look, off in zip(looks, away, strict=True)]
    likely = [
        [one for one in some if one.likely and guesses.fits(one, look.wide)]
        for some, look in zip(tried, looks, strict=True)
    ]
    count = Counter(one.name for some in likely for one in some)
    found = []
    for look, off, some, good in zip(looks, away, tried, likely, strict=True):
        most = max((count[one.name] for one in good), default=0)  # what explains others too
        guess = guesses.best((one for one in good if count[one.name] == most), look.wide)
        parts = [] if guess else [person.elsewhere(look, off), partly(look, off)]
        parts = [one for one in parts if one]
        guess = guess or (None if parts else guesses.best(some, look.wide))
        if guess is not None:
            explain(guess, look, judged)
            found.append(said(guess, look))
        elif parts:
            found += parts
        elif median(off) > BAD * look.wide:
            found.append(unexplained(look, median(off)))
    small = [one for some in tried for one in some if one.lag]
    same = len(small) == len(looks) >= 3 and np.ptp([one.lag for one in small]) <= 1
    if not found and same and np.median([one.gain for one in small]) > guesses.AGREED:
        explain(small[0], looks[0], judged)
        found.append(said(small[0], looks[0]))
    if any(one.name == "rate" for one in found):
        return [one for one in found if one.name != "lag"]
    return found


def tries(look: Look, off: float) -> list[guesses.Guess]:
    """All guesses at a shot that is so many px off; the costly ones where it is far off."""
    if off <= EXACT:
        return []
    pair = Pair.of(look)
    tried = [*guesses.swapped(pair), *times.steps(pair), *times.lags(look)]
    if off > GOOD * look.wide:
        tried += [*guesses.ordered(pair), *guesses.placed(pair)]
    return tried


def explain(guess: guesses.Guess, look: Look, judged: Judged) -> None:
    """Forget what a lag or another rate has for consequences."""
    short = len(look.shot.poses3d) - len(look.shot.poses2d)
    if guess.name == "rate" or (guess.lag < 0 and -guess.lag == short):
        judged.drop("lengths")
    if guess.name == "lag":
        judged.drop("frozen 2D")


def said(guess: guesses.Guess, look: Look) -> Finding:
    """A guess as a finding."""
    return Finding(
        guess.name,
        f"the 2D is {guess.plain:.3g} px from the 3D, and {guess.error:.2g} px {guess.how}",
        str(look.shot),
        guess.meaning,
    )


def unexplained(look: Look, off: float) -> Finding:
    """2D that is far from the 3D, whatever is tried."""
    take = look.shot.take
    known = take.name in {*BLOCKED, *BLOCKED.values()}
    return Finding(
        "agreement",
        f"the 2D is {off:.3g} px from the 3D",
        str(look.shot),
        "the capture of this clip is known to drift off the images; some leave it out"
        if known
        else "expected 2 to 15 px, and no usual mistake explains it: are they of one recording?",
        doubtful=not known,
    )


def partly(look: Look, away: np.ndarray) -> Finding | None:
    """Sides that are exchanged in a part of the frames."""
    limbs = guesses.LIMBS
    pair = Pair.of(look, most=len(look.frames))
    before = np.median(away[:, limbs], axis=1)
    after = np.median(pair.away(pair.seen[:, MIRROR])[:, limbs], axis=1)
    wrong = np.flatnonzero((after * guesses.BETTER < before) & (before > GOOD * look.wide))
    if len(wrong) <= PART * len(before):
        return None
    return Finding(
        "sides of 2D",
        f"in {len(wrong)} of {len(before)} frames the 2D is {np.median(before[wrong]):.3g} px from "
        f"the 3D, and {np.median(after[wrong]):.2g} px with left and right exchanged",
        str(look.shot),
        "left and right of the 2D are swapped there: exchange the joints of the two sides",
    )
