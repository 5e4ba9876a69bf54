"""What the steps share: the device, the networks, their clocks, and rows that survive a cut."""

import argparse
import json
import re
import statistics
import time
from pathlib import Path

import torch
from scipy.special import stdtrit

from htpbench.measuring.environment import commit, environment, machine_name
from htpbench.records.rows import Row, Store, row_key
from htpbench.study.loading import load
from htpbench.systems.combination import parse

VERSION = 1
STUDY = "gpu"
TABLES = ("table2", "table3", "table4", "table8")
FURTHER = (  # what the tables leave out and the project asks about
    "mixste-243+htp:109@0,81@3+tra",
    "d3dp-243+htp:109@0,81@3+tra",
    "motionagformer-243",
    "motionagformer-243+tps:121@0,81@7+tri",
    "mhformer-351",
    "mhformer-351+tps:175@0,117@1",
)


def options(description):
    """The command line of a step."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rehearse", action="store_true", help="tiny networks, any device")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--seconds", type=float, default=180.0, help="begin nothing new after them")
    return parser


def device(rehearse):
    """cuda, or the CPU for a rehearsal on a machine without a GPU."""
    if torch.cuda.is_available():
        return "cuda"
    if rehearse:
        return "cpu"
    raise SystemExit("no CUDA device here; --rehearse runs every step at a tiny size")


def tables(rehearse, names=TABLES):
    """The combinations of some studies, each once; shrunk for a rehearsal."""
    texts = dict.fromkeys(str(one) for name in names for one in load(name).parsed())
    return list(dict.fromkeys(map(shrunk, texts))) if rehearse else list(texts)


def shrunk(text):
    """The tiny network of 27 frames that is pruned at about the same depth and share."""
    combination = parse(text)
    variants = combination.card.variants
    scale = variants["tiny"].blocks / variants[combination.variant].blocks
    frames = combination.frames

    def stage(match):
        r, b = int(match[1]), int(match[2])
        return f"{max(3, r * 27 // frames)}@{max(min(b, 1), int(b * scale))}"

    small = re.sub(r"(\d+)@(\d+)", stage, text)
    small = re.sub(rf"^([a-z0-9]+)-{frames}", r"\1.tiny-27", small)
    stages = re.findall(r"@(\d+)", small)
    return small if len(set(stages)) == len(stages) else re.sub(r",.*?(?=\+|$)", "", small)


def synchronised():
    """The time once the device has done all that it was asked."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def walls(call, least=5, enough=0.05):
    """Seconds of each of some calls, each waited for: what a caller waits."""
    found = []
    while len(found) < least or (sum(found) < enough and len(found) < 100):
        start = synchronised()
        call()
        found.append(synchronised() - start)
    return found


def interval(values):
    """Mean, and its 95 % t interval over processes; no interval of one."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, None, None
    half = float(stdtrit(len(values) - 1, 0.975)) * statistics.stdev(values) / len(values) ** 0.5
    return mean, mean - half, mean + half


class Rows:
    """Rows of this machine, written as they come; `known` says what an earlier run has settled."""

    def __init__(self, results, on):
        self.machine = machine_name(on)
        self.environment = environment(on)
        self.store = Store(results / self.machine)
        self.commit = commit()
        self.done = {row.key for row in self.store.read(STUDY) if row.status == "ok"}

    def key(self, combination, metric, conditions):
        told = {**conditions, "environment": self.environment["id"]}
        return row_key(combination, metric, told, VERSION, self.machine)

    def known(self, combination, metric, conditions):
        return self.key(combination, metric, conditions) in self.done

    def write(self, combination, conditions, measured):
        """measured: metric -> (value, unit, low, high, samples); ends may be None."""
        with self.store.writer(STUDY, self.environment) as writer:
            for metric, (value, unit, low, high, samples) in measured.items():
                key = self.key(combination, metric, conditions)
                told = {**conditions, "device": self.environment["device"]}
                writer.append(
                    Row(
                        key=key,
                        study=STUDY,
                        combination=combination,
                        metric=metric,
                        value=value,
                        unit=unit,
                        low=low,
                        high=high,
                        samples=samples,
                        axis=list(range(len(value))) if isinstance(value, list) else None,
                        conditions=told,
                        environment=self.environment["id"],
                        commit=self.commit,
                    )
                )
                self.done.add(key)


def say(**facts):
    """One line of what was found, at once."""
    print(json.dumps(facts), flush=True)
