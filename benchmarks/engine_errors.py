"""What engines and precisions cost in error, each minus eager float32, paired clip by clip.

MPJPE (mm) and acceleration error (mm/s^2) with 95 % intervals over subjects.

    python -m benchmarks.engine_errors --data TEST.npz [COMBINATION...] [--engines eager,openvino]
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import engines
from htpbench.bench.runner import Runner
from htpbench.errors import BenchError
from htpbench.measuring.context import Context
from htpbench.records.pairing import difference
from htpbench.study.study import Study
from htpbench.systems.combination import parse

METRICS = ("accuracy.mpjpe", "accuracy.acceleration_error")
WEIGHTS = "mixste.tiny-81"
SCHEDULES = ["tps:41@0,27@3+tri", "tpc:27@1+tra", "tps:9@1+tri"]
NAMES = [WEIGHTS, *(f"{WEIGHTS}+{one}" for one in SCHEDULES)]


def measured(asked, name, engine, precision, folder):
    """The rows of a network by metric, as an engine runs it; BenchError where it cannot."""
    study = Study(
        name="engine_errors",
        title="",
        meters=["accuracy"],
        combinations=[name],
        weights=asked.weights,
        engine=engine,
        precision=precision,
        evaluation={"data": asked.data},
    )
    runner = Runner(Context(study), folder)
    with runner.writer() as writer:
        rows = runner.measure(parse(name), writer)
    if failed := [row for row in rows.values() if row.status != "ok"]:
        raise BenchError(failed[0].reason)
    return rows


def told(mine, base, metric):
    """A number, and its difference to eager float32 with its interval and in per cent."""
    found = difference([(mine, base)], metric)
    low, high = found.interval()
    share = 100 * found.value / base[metric].value
    between = f"{found.value:+.3f} [{low:+.3f}, {high:+.3f}]"
    return f"{mine[metric].value:.2f} | {between} | {share:+.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("combinations", nargs="*")
    parser.add_argument("--data", required=True)
    parser.add_argument("--weights", default=WEIGHTS)
    parser.add_argument("--engines", default=engines.USUAL)
    asked = parser.parse_args()
    heads = [f"{one} | minus eager float32 | %" for one in ("MPJPE, mm", "acceleration, mm/s^2")]
    print(f"| network | engine | precision | {' | '.join(heads)} |\n{'| --- ' * 9}|")
    base = {}
    with TemporaryDirectory() as folder:
        for name, engine, precision in engines.crossed(asked.combinations or NAMES, asked.engines):
            try:
                mine = measured(asked, name, engine, precision, Path(folder))
            except BenchError as error:
                print(f"| `{name}` | {engine} | {precision} | {error} |", flush=True)
                continue
            base.setdefault(name, mine)
            cells = " | ".join(told(mine, base[name], metric) for metric in METRICS)
            print(f"| `{name}` | {engine} | {precision} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
