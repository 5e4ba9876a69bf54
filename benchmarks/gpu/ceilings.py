"""The card as it is found, and the two limits that every time is a share of."""

import subprocess

import torch

from benchmarks.gpu.common import Rows, device, options, say, walls

FACTS = (
    "driver_version,power.limit,clocks.max.sm,clocks.max.mem,clocks.sm,clocks.mem,temperature.gpu"
)


def card():
    """What nvidia-smi says of the card, as text; nothing where it is not there."""
    try:
        asked = ["nvidia-smi", f"--query-gpu={FACTS}", "--format=csv,noheader"]
        said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return {}
    values = said.splitlines()[0].split(", ")
    return dict(zip(FACTS.split(","), values, strict=True))


def matmul(size, dtype, tf32, on):
    """Operations a second of a square product of random matrices."""
    torch.backends.cuda.matmul.allow_tf32 = tf32
    a, b = (torch.randn(size, size, device=on).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    torch.mm(a, b, out=out)
    took = sorted(walls(lambda: torch.mm(a, b, out=out), 10, 0.5))
    torch.backends.cuda.matmul.allow_tf32 = False
    return 2 * size**3 / took[len(took) // 2]


def copy(numbers, on):
    """Bytes a second, read and written, of a copy inside the device."""
    a = torch.randn(numbers, device=on)
    out = torch.empty_like(a)
    out.copy_(a)
    took = sorted(walls(lambda: out.copy_(a), 10, 0.2))
    return 2 * 4 * numbers / took[len(took) // 2]


def main():
    asked = options(__doc__).parse_args()
    on = device(asked.rehearse)
    rows = Rows(asked.results, on)
    size, numbers = (256, 2**18) if asked.rehearse else (8192, 2**29)
    say(card=card(), environment=rows.environment)
    for name, dtype, tf32 in (
        ("float32", torch.float32, False),
        ("tf32", torch.float32, True),
        ("bfloat16", torch.bfloat16, False),
    ):
        conditions = {"dtype": name, "size": size}
        rate = matmul(size, dtype, tf32, on)
        rows.write(
            "control: ceiling", conditions, {"ceiling.matmul": (rate, "FLOP/s", None, None, None)}
        )
        say(matmul=name, tera=round(rate / 1e12, 2))
    rate = copy(numbers, on)
    rows.write(
        "control: ceiling",
        {"bytes": 4 * numbers},
        {"ceiling.copy": (rate, "B/s", None, None, None)},
    )
    say(copy_gb_s=round(rate / 1e9, 1), card=card())


if __name__ == "__main__":
    main()
