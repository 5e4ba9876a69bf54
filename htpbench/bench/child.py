"""The process that measures many combinations at once; `htpbench.bench.together` starts it."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import torch

from htpbench.bench.devices import device_lock
from htpbench.bench.outcome import failure
from htpbench.errors import BenchError, Poisoned
from htpbench.measuring.clock import wait_quiet
from htpbench.measuring.context import Context
from htpbench.records.measurement import Measurement
from htpbench.study.study import Study
from htpbench.systems.catalogue import meter
from htpbench.systems.combination import Combination, parse
from htpbench.systems.registry import import_file


def main() -> None:
    """Do what the line on standard input asks for; end with whoever wrote it."""
    asked = json.loads(sys.stdin.readline())
    threading.Thread(target=watch, daemon=True).start()
    answers = os.dup(1)  # what a meter and its libraries print is none: it goes to standard error
    os.dup2(2, 1)

    def say(**line: Any) -> None:
        os.write(answers, json.dumps(line).encode() + b"\n")

    try:
        work(asked, say)
    except BenchError as error:
        say(stop=str(error))
    except Poisoned as error:
        say(broken=str(error))


def watch() -> None:
    """End the process once its parent, which holds the other end of standard input, is gone."""
    sys.stdin.read()
    os._exit(1)


def work(asked: dict[str, Any], say: Any) -> None:
    """Measure, and say what is worked at and what was found."""
    for path in asked["imports"]:
        import_file(Path(path))
    torch.set_num_threads(asked["threads"])
    context = Context(Study.model_validate(asked["study"]), asked["device"], asked["seed"])
    context.environment, context.machine = asked["environment"], asked["machine"]
    context.process, context.kept = asked["process"], Path(asked["kept"])
    measuring = meter(asked["meter"])

    def begin(combination: Combination) -> None:
        say(begin=str(combination))

    with device_lock(context.device, shared=not measuring.exclusive):
        if measuring.exclusive and asked["quiet_s"]:
            say(waits="waiting for a quiet machine")
            wait_quiet(asked["quiet_s"])
        say(holds=context.device)
        for one, found in measuring.together(context, [*map(parse, asked["combinations"])], begin):
            if isinstance(found, Exception):
                _, status, reason = failure(found)
                say(combination=str(one), status=status, reason=reason)
            else:
                say(combination=str(one), measured=[plain(each) for each in found])


def plain(one: Measurement) -> dict[str, Any]:
    """A measurement as JSON holds it; numpy's numbers as Python's."""
    return json.loads(json.dumps(one._asdict(), default=lambda number: number.item()))


if __name__ == "__main__":
    main()
