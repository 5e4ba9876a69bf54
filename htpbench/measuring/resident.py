"""Memory of a network under an engine, which counts no tensors: what its process holds for it.

The system's own count (Linux's /proc), in a process that loads nothing but the engine.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from htpbench.errors import Faulty
from htpbench.exporting.onnx import written
from htpbench.network.lifter import Lifter
from htpbench.records.measurement import Measurement
from htpbench.systems.registry import ENGINES, import_file, imported_files

STATUS, PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")
CHILD = [sys.executable, "-P", "-m", "htpbench.measuring.resident"]
TIMES = 2  # the first may quantise a network, which holds more than running it


def measure(lifter: Lifter, engine: str, precision: str, batch: int) -> list[Measurement]:
    """The most that a process holds during a pass beyond what it held before the network came."""
    if not (STATUS.exists() and PEAK.exists()):
        raise Faulty("what a process holds is read from Linux's /proc, which is not here")
    with written(lifter) as path:
        asked = {
            "path": str(path),
            "engine": engine,
            "precision": precision,
            "threads": torch.get_num_threads(),
            "inputs": [(list(x.shape), str(x.dtype)[6:]) for x in lifter.example(batch)],
            "imports": imported_files(),
        }
        return [Measurement("memory.resident", min(child(asked) for _ in range(TIMES)))]


def child(asked: dict[str, Any]) -> int:
    """What one fresh process says, in bytes."""
    done = subprocess.run(CHILD, input=json.dumps(asked), capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or [f"code {done.returncode}"]
        raise Faulty(f"a process that runs {asked['engine']} failed: {said[0]:.500}")
    return int(done.stdout.splitlines()[-1])


def main() -> None:
    """Run the network that standard input names, and print what it took."""
    asked = json.loads(sys.stdin.readline())
    for path in asked["imports"]:
        import_file(Path(path))
    torch.set_num_threads(asked["threads"])
    engine = ENGINES.load(asked["engine"])()
    for package in engine.packages[-1:]:
        importlib.import_module(package)
    inputs = [torch.rand(shape).to(getattr(torch, dtype)) for shape, dtype in asked["inputs"]]
    before = held("VmRSS")
    call = engine.opened(Path(asked["path"]), asked["precision"])
    call(*inputs)
    PEAK.write_text("5")  # from now on
    call(*inputs)
    print(max(held("VmHWM") - before, 0))


def held(name: str) -> int:
    """Bytes of this process, by the system's name for them."""
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return 1024 * int(lines[name].split()[0])


if __name__ == "__main__":
    main()
