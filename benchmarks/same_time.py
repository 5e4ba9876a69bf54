"""A/A of times: how often is a network told apart from itself, on an idle machine and a busy one?

One network stands under 80 names, which five fresh processes visit in rounds as `sweep` does; its
names are compared two by two. The load is two busy loops that come and go every few seconds.

    python -m benchmarks.same_time [NETWORK]
"""

import random
import subprocess
import sys
import threading
from collections import Counter
from functools import partial
from multiprocessing import get_context

from htpbench.measuring.timing import measure
from htpbench.network.build import build
from htpbench.records.clocks import joined
from htpbench.records.judging import word
from htpbench.records.row import Row
from htpbench.records.sessions import noise, ratio
from htpbench.systems.combination import parse

PAIRS, PROCESSES = 40, 5
LOOP = [sys.executable, "-c", "while True: pass"]


def process(network):
    """What one process tells of each name."""
    makers = {name: partial(build, parse(network)) for name in range(2 * PAIRS)}
    return {n: {m.metric: m.value for m in each} for n, each in measure(makers, round_s=0.02)}


def session(network):
    """A card of rows for each name."""
    parts = []
    for _ in range(PROCESSES):
        with get_context("spawn").Pool(1) as pool:
            parts.append(pool.apply(process, (network,)))
    common = {"key": "", "study": "", "environment": "", "unit": "s"}
    return [
        {
            one.metric: Row(combination=str(name), metric=one.metric, value=one.value, **common)
            if not one.axis
            else Row(
                combination=str(name), metric=one.metric, value=one.value, axis=one.axis, **common
            )
            for one in joined("time", [part[name] for part in parts])
        }
        for name in range(2 * PAIRS)
    ]


def come_and_go(stop):
    """Two busy loops for some seconds, then none, until told to stop."""
    rng = random.Random(0)
    while not stop.is_set():
        loops = [subprocess.Popen(LOOP) for _ in range(2)]
        stop.wait(rng.uniform(1, 5))
        for loop in loops:
            loop.kill()
            loop.wait()
        stop.wait(rng.uniform(1, 5))


def judged(cards):
    """Verdicts on B against A, whatever the noise, and how many cards are noisy."""
    said = Counter()
    for a, b in zip(cards[::2], cards[1::2], strict=True):
        _, low, high, _ = ratio("time.forward", b, a)
        said[word("less", 1.0, low - 1, high - 1)] += 1
    reasons = [why for card in cards if (why := noise("time.speedup", card))]
    return dict(said), len(reasons), reasons[:1]


def main():
    network = sys.argv[1] if sys.argv[1:] else "mixste.tiny-81"
    print("| machine | better | same | unsure | worse | noisy names | the first says |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for load in (False, True):
        stop = threading.Event()
        loaded = threading.Thread(target=come_and_go, args=(stop,))
        if load:
            loaded.start()
        try:
            said, noisy, reason = judged(session(network))
        finally:
            stop.set()
            if load:
                loaded.join()
        counts = " | ".join(str(said.get(one, 0)) for one in ("better", "same", "unsure", "worse"))
        name = "two loops come and go" if load else "idle"
        print(f"| {name} | {counts} | {noisy} of {2 * PAIRS} | {''.join(reason)} |", flush=True)


if __name__ == "__main__":
    main()
