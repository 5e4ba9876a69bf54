"""Markdown from the rows of gpu.sh: what was printed, what was measured, both over the unpruned.

python -m benchmarks.gpu.tables results/MACHINE > benchmarks/gpu/MACHINE.md
"""

import csv
import sys
from pathlib import Path

from benchmarks.full_size import flops
from benchmarks.gpu.common import FURTHER, STUDY, tables
from benchmarks.gpu.times import FIVE
from htpbench.records.rows import Store, latest
from htpbench.systems.combination import parse
from htpbench.systems.shipped import data_folder

HEAD = """# What a GPU said

{device}, torch {torch}, CUDA {cuda}; rows in `results/{machine}`, made by `benchmarks/gpu.sh`.
Ceilings measured there: float32 {float32:.1f}, TF32 {tf32:.0f}, bfloat16 {bfloat16:.0f} TFLOP/s
(products of 8192 x 8192 matrices), copies {copy:.0f} GB/s. float32: no product was rounded
to TF32.

*wall* is what a caller waits for one call, *device* one replay of the same call as a CUDA graph,
*busy* the one over the other: below 80 % launching decides and the saved arithmetic does not show.
Brackets are 95 % intervals (t over fresh processes, where there was more than one). Speed-ups are
over the unpruned network of the same backbone. *ceiling* is operations, all counted, over device
time over the float32 ceiling.
"""


class Found:
    """Rows by combination, conditions and metric."""

    def __init__(self, folder):
        store = Store(folder)
        self.rows = list(latest(store.read(STUDY)).values())
        (self.environment,) = store.environments.values()

    def get(self, combination, metric, **conditions):
        """The row that these conditions name, or None."""
        return next(
            (
                row
                for row in self.rows
                if (row.combination, row.metric) == (combination, metric)
                and all(row.conditions.get(name) == value for name, value in conditions.items())
            ),
            None,
        )


def cell(row, scale=1.0, digits=2):
    """A value with its interval, if it has one."""
    if row is None:
        return ""
    said = f"{scale * row.value:.{digits}f}"
    if row.low is not None:
        said += f" [{scale * row.low:.{digits}f}, {scale * row.high:.{digits}f}]"
    return said


def printed():
    """(combination, pipeline) -> metric -> the printed value, first of equals."""
    with (data_folder() / "baselines" / "published" / "h2ot.csv").open() as file:
        found = {}
        for row in csv.DictReader(file):
            place = found.setdefault((row["combination"], row["pipeline"]), {})
            place.setdefault(row["metric"], float(row["value"]))
        return found


def speed(papers, text):
    """The printed frames a second of a network over those of its unpruned one, seq2seq first."""
    base = str(parse(text).unpruned)
    for pipeline in ("seq2seq", "seq2frame"):
        mine, whole = papers.get((text, pipeline), {}), papers.get((base, pipeline), {})
        for metric in ("fps_per_frame", "fps"):
            if metric in mine and metric in whole:
                return f"{mine[metric] / whole[metric]:.2f}"
    return ""


def table(heads, rows):
    print("\n|", " | ".join(heads), "|")
    print("|", " | ".join(["---"] * len(heads)), "|")
    for row in rows:
        print("|", " | ".join(row), "|")


def forwards(found, papers, ceiling):
    usual = {"batch": 1, "dtype": "float32"}
    for text in (*tables(False), *FURTHER):
        get = lambda metric: found.get(text, metric, **usual, hypotheses=None)  # noqa: B023, E731
        device = get("time.device")
        if device is None:
            continue
        share = flops(text) / device.value / ceiling
        yield (
            f"`{text}`",
            speed(papers, text),
            cell(get("time.wall"), 1e3, 1),
            cell(get("time.wall_speedup")),
            cell(device, 1e3),
            cell(get("time.device_speedup")),
            f"{100 * get('time.device_busy').value:.0f} %",
            f"{100 * share:.0f} %",
            f"{100 * get('time.prune_alone_share').value:.0f} %",
            f"{get('memory.forward_peak').value / 2**20:.0f}",
        )


def ways(found):
    for text in FIVE:
        for batch in (1, 32):
            row = [f"`{text}`", str(batch)]
            for dtype in ("float32", "tf32", "bfloat16"):
                get = lambda m: found.get(text, m, batch=batch, dtype=dtype)  # noqa: B023, E731
                for clock in ("wall", "device"):
                    row.append(
                        f"{1e3 * get(f'time.{clock}').value:.1f}"
                        f" ({get(f'time.{clock}_speedup').value:.2f})"
                    )
            yield row


def wholes(found, papers):
    for text in dict.fromkeys((*tables(False, ("table8",)), *FURTHER)):
        row = found.get(text, "time.wall", hypotheses=5)
        if row:
            gain = found.get(text, "time.wall_speedup", hypotheses=5)
            fps = f"{parse(text).frames / row.value:.0f}"
            said = papers.get((text, "seq2seq"), {}).get("fps")
            said = f"{said:.0f}" if said else ""
            yield f"`{text}`", said, fps, speed(papers, text), cell(gain), cell(row, 1e3, 1)


def steps(found, papers):
    for text in tables(False, ("table4", "table3")):
        base = str(parse(text).unpruned)
        pipeline = "seq2seq" if (text, "seq2seq") in papers else "seq2frame"
        mine, whole = papers[text, pipeline], papers[base, pipeline]
        row = [f"`{text}`"]
        for metric in ("gpu_memory", "training_time"):
            row.append(f"{mine[metric]:.1f} ({mine[metric] / whole[metric]:.2f})")
        plain = {"attention": "plain", "dtype": "float32"}
        for metric, scale, digits in (
            ("memory_allocated", 2**30, 2),
            ("memory_reserved", 2**30, 2),
            ("step", 1e-3, 0),
        ):
            m, w = (found.get(one, f"training.{metric}", **plain) for one in (text, base))
            row.append(f"{m.value / scale:.{digits}f} ({m.value / w.value:.2f})" if m and w else "")
        for dtype in ("float32", "tf32", "bfloat16"):
            fused = {"attention": "fused", "dtype": dtype}
            m, w = (found.get(one, "training.step", **fused) for one in (text, base))
            row.append(f"{1e3 * m.value:.0f} ({m.value / w.value:.2f})" if m and w else "")
        yield row


def main():
    found, papers = Found(Path(sys.argv[1])), printed()
    rates = {
        dtype: found.get("control: ceiling", "ceiling.matmul", dtype=dtype).value / 1e12
        for dtype in ("float32", "tf32", "bfloat16")
    }
    copy = found.get("control: ceiling", "ceiling.copy").value / 1e9
    print(HEAD.format(**found.environment, **rates, copy=copy))
    print("## One call, batch 1, float32 (Tables 2, 3, 4, 8 and more)")
    heads = ("network", "printed speed-up", "wall, ms", "speed-up", "device, ms", "speed-up")
    heads = (*heads, "busy", "ceiling", "pruning", "peak, MiB")
    table(heads, forwards(found, papers, 1e12 * rates["float32"]))
    print("\n## Batch and precision: ms a call, in brackets the speed-up (one process)")
    heads = [f"{d} {c}" for d in ("float32", "TF32", "bfloat16") for c in ("wall", "device")]
    table(("network", "batch", *heads), ways(found))
    print("\n## Whole predictions, H = K = 5 without flipping (Table 8), frames a second")
    heads = ("network", "printed", "ours", "printed speed-up", "speed-up", "wall, ms")
    table(heads, wholes(found, papers))
    print("\n## A training step at batch 4 (Tables 3 and 4); in brackets over the unpruned")
    heads = ("network", "printed GB", "printed min/epoch", "GiB, plain attention", "reserved, GiB")
    heads = (*heads, "ms, plain", "ms, float32", "ms, TF32", "ms, bfloat16")
    table(heads, steps(found, papers))


if __name__ == "__main__":
    main()
