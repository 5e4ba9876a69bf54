"""The machine and the software that a number was measured on; no host name, no user name."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from htpbench.errors import BenchError


def environment(device: str = "cpu") -> dict[str, Any]:
    """What a measurement on `device` ("cpu", "cuda", "cuda:1") depends on.

    `id` is 6 hex digits of the rest: equal where all of it is equal.
    """
    import numpy
    import torch

    on_gpu = torch.device(device).type == "cuda"
    facts = {
        "machine": machine_name(device),
        "device": torch.cuda.get_device_name(device) if on_gpu else _cpu_model(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "os": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda if on_gpu else None,
        "numpy": numpy.__version__,
    }
    facts |= gpu_facts(device) if on_gpu else {}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return {"id": digest[:6], **facts}


def gpu_facts(device: str) -> dict[str, Any]:
    """What the times of a GPU depend on: driver, limits, precision of products, attention."""
    import torch

    facts = {
        "tf32": torch.backends.cuda.matmul.allow_tf32 or torch.backends.cudnn.allow_tf32,
        "cudnn": torch.backends.cudnn.version(),
        "attention": [
            name
            for name in ("flash", "mem_efficient", "math", "cudnn")
            if getattr(torch.backends.cuda, f"{name}_sdp_enabled")()
        ],
    }
    query = "driver_version,power.limit,clocks.max.sm,clocks.max.mem"
    asked = [
        "nvidia-smi",
        f"--id={gpu_id(device)}",
        f"--query-gpu={query}",
        "--format=csv,noheader",
    ]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):  # not there, or not allowed
        return facts
    return facts | dict(zip(query.split(","), said.strip().split(", "), strict=False))


def gpu_id(device: str) -> str:
    """A GPU's UUID, which stays its own whatever is visible; its index where torch tells none."""
    import torch

    properties = torch.cuda.get_device_properties(device)
    uuid = getattr(properties, "uuid", None)
    return f"GPU-{uuid}" if uuid else str(torch.device(device).index or 0)


def exact_products(device: str) -> None:
    """On CUDA products of float32 are not rounded to TF32, which cuDNN does unless told."""
    import torch

    if torch.device(device).type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


def machine_name(device: str = "cpu") -> str:
    """The folder of a machine's results: the model of the device and the number of cores.

    The environment variable HTPBENCH_MACHINE overrides it: one name, whichever GPU is used.
    """
    import torch

    named = os.environ.get("HTPBENCH_MACHINE")
    if named:
        slug = _slug(named)
        if not slug:
            raise BenchError(f"HTPBENCH_MACHINE is {named!r}: use letters and digits, or unset it")
        return slug
    on_gpu = torch.device(device).type == "cuda"
    model = torch.cuda.get_device_name(device) if on_gpu else _cpu_model()
    return f"{_slug(model)}-{os.cpu_count()}c"


def commit() -> str | None:
    """Short hash of this checkout, "+dirty" where files differ from it; None outside a checkout.

    Results and reports do not make it dirty: measuring must not change what was measured.
    """
    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():  # installed, perhaps inside somebody else's repository
        return None
    try:
        head = _git(folder, "rev-parse", "--short", "HEAD")
        changes = _git(folder, "status", "--porcelain", "--", ".", ":!results", ":!reports")
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{head}+dirty" if changes else head


@cache
def code_digest() -> str:
    """What tells this package's code from any other's, also where a commit does not."""
    package, found = Path(__file__).resolve().parents[1], hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _cpu_model() -> str:
    """As Linux names it; elsewhere what the platform module knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _slug(text: str) -> str:
    text = re.sub(r"\((r|tm|c)\)", "", text.lower())
    return re.sub(r"[^a-z0-9]+", "-", text).strip("-")


def check_device(device: str) -> None:
    """BenchError for a device that torch does not have here, or that cannot be timed."""
    import torch

    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise BenchError(f"device {device!r} cannot be used here; try cpu, cuda or cuda:1")
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise BenchError(
            f"device {device!r} cannot be used here: {reason}; try cpu, or where it worked before "
            "the same command again, which goes on with what is left"
        ) from error
