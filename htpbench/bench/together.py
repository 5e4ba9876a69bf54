"""Many combinations measured at once, in processes of their own: one death costs one combination.

The parent holds the claim of the meter and writes the rows; each child holds the device and says
what it works at and what it found, a JSON line each. What a child found counts once it is through:
its lines are appended to results/<machine>/together/, and a run that was killed takes
them from there, under the same environment and commit. Rows are written last.
"""

from __future__ import annotations

import hashlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch

from htpbench.bench.job import Job, job
from htpbench.bench.outcome import Outcome, checked, failure
from htpbench.errors import BenchError
from htpbench.measuring.environment import code_digest, gpu_id
from htpbench.outside import files
from htpbench.outside.drafts import append_line, write_file
from htpbench.records.measurement import Measurement
from htpbench.records.rows import Writer
from htpbench.systems.catalogue import meter
from htpbench.systems.combination import Combination
from htpbench.systems.registry import imported_files

if TYPE_CHECKING:
    from htpbench.bench.runner import Runner, Tell

MOST_BYTES = 2**28  # of a file of lines
LOOK_S = 1.0  # how often it is looked whether a silent child lives
CHILD = [sys.executable, "-P", "-m", "htpbench.bench.child"]


@dataclass
class Child:
    """What a process found, and what became of it."""

    found: dict[str, dict[str, Any]] = field(default_factory=dict)  # combination -> its line
    begun: str | None = None  # the combination that it named last
    until: float | None = None  # when, on the clock, its next line must be there
    ended: str = ""  # why it did not come to its end


def measure_together(
    runner: Runner,
    name: str,
    combinations: Sequence[Combination],
    writer: Writer,
    tell: Tell = lambda text: None,
) -> None:
    """Measure with a meter that takes many at once; each key gets its row, a failure too.

    Only one process does this at a time for a device and a meter. A combination at which a child
    dies or stays longer than the runner's time limit gets no number, and the others go on.
    """
    with runner.claims_of(name).hold(f"{name} together on {called(runner.context.device)}"):
        runner.index.refresh()  # whoever held the claim before may have measured them
        wanted = {str(one): job(runner.context, one, name) for one in combinations}
        left = {one: each for one, each in wanted.items() if not runner.settled(each.keys)}
        lines = lines_of(runner, name)
        if left:
            lines.parent.mkdir(parents=True, exist_ok=True)
            for litter in lines.parent.glob(f"{lines.stem}.*/"):  # of a run that was killed
                shutil.rmtree(litter, ignore_errors=True)
            with TemporaryDirectory(dir=lines.parent, prefix=f"{lines.stem}.") as kept:
                run = Run(runner, name, left, tell, kept)
                for one, outcome in run.outcomes():
                    runner.keep(writer, left[one], outcome)
        forget(lines, wanted.values(), runner.commit)


def lines_of(runner: Runner, name: str) -> Path:
    """Where the lines of a meter's processes on a device are kept until they are rows."""
    return runner.folder / "together" / f"{name}.{called(runner.context.device)}.lines"


def called(device: str) -> str:
    """One name of a device, however it is spelt."""
    return device if device == "cpu" else gpu_id(device)


def lines_in(path: Path) -> list[dict[str, Any]]:
    """The lines that can be read: a kill cuts one."""
    found = []
    for text in files.content(path, MOST_BYTES).splitlines() if path.exists() else ():
        with suppress(ValueError):
            found.append(files.parse_json(text))
    return [line for line in found if isinstance(line, dict)]


def forget(path: Path, jobs: Iterable[Job], commit: str | None) -> None:
    """Drop the lines of what is rows now, and of other code; other runs may go on with theirs."""
    done = {claim_of(one) for one in jobs}
    every = lines_in(path)
    own = {"commit": commit, "code": code_digest()}
    left = [x for x in every if own.items() <= x.items() and x.get("claim") not in done]
    if left:
        write_file(path, b"".join(json.dumps(line).encode() + b"\n" for line in left))
    else:
        path.unlink(missing_ok=True)


def claim_of(one: Job) -> str:
    """What a job's lines are known by."""
    return hashlib.sha256(one.claim.encode()).hexdigest()[:16]


class Run:
    """One meter's processes, one after the other."""

    def __init__(
        self, runner: Runner, name: str, jobs: dict[str, Job], tell: Tell, kept: str
    ) -> None:
        self.runner, self.name, self.jobs, self.tell = runner, name, jobs, tell
        self.kept = kept  # folder of what one process makes and the next one can use
        self.path = lines_of(runner, name)
        self.processes = meter(name).processes(runner.context)
        self.failed: dict[str, Outcome] = {}

    def outcomes(self) -> Iterator[tuple[str, Outcome]]:
        """What becomes of each combination, in the order given."""
        parts = [self.process(number) for number in range(self.processes)]
        for one, wanted in self.jobs.items():
            if one in self.failed:
                yield one, self.failed[one]
                continue
            try:
                each = [[Measurement(**x) for x in part[one]["measured"]] for part in parts]
                yield one, (checked(wanted, meter(self.name).joined(each)), "ok", None)
            except Exception as error:
                yield one, failure(error)

    def process(self, number: int) -> dict[str, dict[str, Any]]:
        """The lines of one process for all that has not failed, of earlier runs or made now."""
        known = self.known(number)
        while left := [one for one in self.jobs if one not in known and one not in self.failed]:
            child = self.child(left, number)
            if child.ended:
                status = "timeout" if child.ended.startswith("took longer") else "failed"
                lost = [child.begun] if child.begun in left else left  # a reference is all of them
                self.failed |= {one: ({}, status, child.ended) for one in lost}
                continue
            for one in left:
                line = child.found.get(one, {"status": "failed", "reason": "the meter left it out"})
                if "status" in line:
                    self.failed[one] = ({}, line["status"], line["reason"])
                else:
                    known[one] = line
                    append_line(self.path, json.dumps({**self.place(one, number), **line}))
        return known

    def place(self, one: str, number: int) -> dict[str, Any]:
        """What a line is of: lines of other code, machines and conditions are not taken for it."""
        return {
            "claim": claim_of(self.jobs[one]),
            "process": number,
            "environment": self.runner.context.environment["id"],
            "commit": self.runner.commit,
            "code": code_digest(),
        }

    def known(self, number: int) -> dict[str, dict[str, Any]]:
        """The lines that earlier runs left of a process."""
        lines, found = lines_in(self.path), {}
        for one in self.jobs:
            place = self.place(one, number)
            mine = [line for line in lines if place.items() <= line.items()]
            if mine and readable(mine[-1].get("measured")):
                found[one] = mine[-1]
        return found

    def child(self, left: list[str], number: int) -> Child:
        """Measure these in a fresh process."""
        asked = self.asked(left, number)
        found = Child()
        pipe = subprocess.PIPE  # a session of its own: Ctrl-C is for the parent, which ends it
        env = {**os.environ, "PYTHONHASHSEED": "0"}  # the same networks, in the order of sets too
        started = subprocess.Popen(CHILD, stdin=pipe, stdout=pipe, start_new_session=True, env=env)
        try:
            started.stdin.write(json.dumps(asked).encode() + b"\n")  # type: ignore[union-attr]
            started.stdin.flush()  # type: ignore[union-attr]
            found.ended = self.follow(started, found, number)
        except BrokenPipeError:
            found.ended = "its process ended before it began"
        finally:
            with suppress(ProcessLookupError):  # what it started itself ends with it
                os.killpg(started.pid, signal.SIGKILL)
            started.wait()
            for one in (started.stdin, started.stdout):
                with suppress(OSError):
                    one.close()  # type: ignore[union-attr]
        if not found.ended and started.returncode:
            found.ended = f"its process ended with code {started.returncode} (out of memory?)"
        return found

    def asked(self, left: list[str], number: int) -> dict[str, Any]:
        """What a child is told: all that it needs to be what this process is."""
        context = self.runner.context
        return {
            "study": context.study.model_dump(mode="json", exclude_unset=True),
            "imports": imported_files(),
            "device": context.device,
            "seed": context.seed,
            "threads": torch.get_num_threads(),
            "environment": context.environment,
            "machine": context.machine,
            "meter": self.name,
            "process": number,
            "quiet_s": self.runner.quiet_s,
            "kept": self.kept,
            "combinations": left,
        }

    def follow(self, process: subprocess.Popen, found: Child, number: int) -> str:
        """Read what a child says until it ends; why it was stopped, if it was."""
        limit = self.runner.timeout
        turn = f", process {number + 1} of {self.processes}" if self.processes > 1 else ""
        for line in spoken(process, found):
            if line is None:
                return f"took longer than {limit:g} s"
            if "stop" in line:
                raise BenchError(line["stop"])
            if "waits" in line:  # for a quiet machine, which has a limit of its own
                self.tell(line["waits"])
                continue
            if "broken" in line:
                return line["broken"]
            if limit:  # it holds the device from its first line on: waiting does not count
                found.until = time.monotonic() + limit
            if "begin" in line:
                found.begun = line["begin"]
                self.tell(f"{found.begun}: {self.name}{turn}")
            elif "combination" in line:
                found.found[line.pop("combination")] = line
        return ""


def readable(measured: Any) -> bool:
    """Whether these are measurements; a damaged line is none, and is measured again."""
    try:
        found = [Measurement(**each) for each in measured]
    except TypeError:
        return False
    ends = [end for one in found for end in (one.low, one.high, one.samples) if end is not None]
    return bool(found) and all(isinstance(end, int | float) for end in ends)


def spoken(process: subprocess.Popen, child: Child) -> Iterator[dict | None]:
    """The lines of a child as they come; None where none came in time."""
    pipe, rest = process.stdout, b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)  # type: ignore[arg-type]
        while True:
            end = child.until
            left = end - time.monotonic() if end else LOOK_S
            if not selector.select(max(0.0, min(left, LOOK_S))):
                if end and time.monotonic() >= end:
                    yield None
                    return
                if process.poll() is None:
                    continue
                return  # it ended, and something that it started holds the pipe
            read = os.read(pipe.fileno(), 2**16)  # type: ignore[union-attr]
            if not read:
                return
            *lines, rest = (rest + read).split(b"\n")
            for text in lines:
                yield json.loads(text)
