"""How often intervals hold the truth: htpbench.records.intervals on data that are simulated.

    .venv/bin/python benchmarks/intervals.py            # the table of intervals.md, minutes
    .venv/bin/python benchmarks/intervals.py --draws 500
    .venv/bin/python benchmarks/intervals.py --needed 0.5 3   # standard deviations, mm

Errors of a network minus another's: a part of each subject, of each training seed, of both at once,
and of each clip. The truth is 0. `clips` is what comes out where clips are drawn as if they were of
nobody, which is what reports did before.
"""

import argparse

import numpy as np

from htpbench.records.intervals import Estimate, estimate

OPEN = (0.39, 0.22, 0.20, 0.17, 0.01, 0.01)  # shares of frames of the open test subjects
WEIGHTS = {
    "open, 6": OPEN,
    "5": (1 / 5,) * 5,
    "6": (1 / 6,) * 6,
    "10": (1 / 10,) * 10,
    "20": (1 / 20,) * 20,
    "30": (1 / 30,) * 30,
    "1, 1/2, 1/3, ..., 20": tuple(1 / np.arange(1, 21) / sum(1 / np.arange(1, 21))),
}
PARTS = {  # standard deviations of a subject, a seed, both at once; a clip has half of a subject's
    "subjects": (1, 0, 0),
    "seeds": (0, 1, 0),
    "both alike": (1, 1, 0),
    "interaction": (0, 0, 1),
    "all": (1, 1, 1),
    "seeds, few of subjects": (0.3, 1, 0.3),
    "subjects, few of seeds": (1, 0.3, 0.3),
}
CLIPS = 4  # of a subject


def drawn(rng, shares, seeds=1, parts=(1, 0, 0), skewed=False, shift=0.0):
    """Sums (S, C) and counts (C,) of clips, and whose they are (C,)."""
    of_subject, of_seed, of_both = parts
    subjects = len(shares)

    def noise(*shape):
        return rng.exponential(size=shape) - 1 if skewed else rng.normal(size=shape)

    by_subject = of_subject * noise(1, subjects) + of_seed * rng.normal(size=(seeds, 1))
    by_subject = by_subject + of_both * rng.normal(size=(seeds, subjects)) + shift
    values = np.repeat(by_subject, CLIPS, axis=1)
    values = values + 0.5 * of_subject * rng.normal(size=(1, subjects * CLIPS))
    counts = np.repeat(np.array(shares) * 10_000 / CLIPS, CLIPS)
    return values * counts, counts, np.repeat(np.arange(subjects), CLIPS)


def coverage(draws, shares, seeds=1, parts=(1, 0, 0), skewed=False):
    """The share of intervals that hold the truth, and of those that draw clips."""
    rng = np.random.default_rng(0)
    held = np.zeros(2)
    for _ in range(draws):
        sums, counts, subjects = drawn(rng, shares, seeds, parts, skewed)
        for index, units in enumerate((subjects, np.arange(len(counts)))):
            found = estimate(sums if index == 0 else sums.mean(axis=0), counts, units)
            held[index] += abs(found.value) <= found.half()
    return held / draws


def needed(of_subjects, of_seeds, floor=0.3):
    """Lines: the smallest difference (mm) told in half of all cases, by subjects and seeds."""
    for subjects in (5, 10, 20, 50, 100):
        cells = []
        for seeds in (1, 3, 5, 10) if of_seeds else (1,):
            of_both = of_subjects**2 / subjects, of_seeds**2 / seeds
            one = Estimate(0.0, subjects, subjects, of_both[0], seeds, of_both[1])
            known = seeds > 1 or not of_seeds
            cells.append(f"{floor + one.half():.2f}" if known else "no verdict")
        print(f"| {subjects} | {' | '.join(cells)} |")


def main():
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=4000)
    parser.add_argument("--needed", type=float, nargs=2, metavar=("SUBJECTS_MM", "SEEDS_MM"))
    asked = parser.parse_args()
    if asked.needed:
        needed(*asked.needed)
        return
    draws = asked.draws
    print("| subjects | seeds | what varies | covered | clips drawn |")
    print("| --- | --- | --- | --- | --- |")
    for name, shares in WEIGHTS.items():
        for seeds in (1, 3, 5):
            for what in PARTS if seeds > 1 else ["subjects"]:
                parts = PARTS[what]
                for skewed in (False, True) if seeds == 1 else (False,):
                    ours, clips = coverage(draws, shares, seeds, parts, skewed)
                    said = f"{what}, skewed" if skewed else what
                    print(f"| {name} | {seeds} | {said} | {ours:.3f} | {clips:.3f} |", flush=True)


if __name__ == "__main__":
    main()
