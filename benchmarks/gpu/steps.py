"""Training steps of Tables 3 and 4: seconds a step and peak memory at batch 4, as the paper trains.

A step is forward, backward and optimiser after the recipe of the backbone. plain attention stores
what the official code stores; fused does not.
"""

import statistics
import time
from contextlib import nullcontext

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.gpu.common import Rows, device, options, say, synchronised, tables
from htpbench.learning.losses import LOSSES
from htpbench.learning.recipes import Recipe
from htpbench.learning.step import CLIP, OPTIMISERS, forward
from htpbench.network.build import build

BATCH = 4
WAYS = (("plain", "float32"), ("fused", "float32"), ("fused", "tf32"), ("fused", "bfloat16"))


def step(lifter, optimiser, loss, inputs, targets, bfloat16):
    lifted = forward(lifter, inputs, "bfloat16" if bfloat16 else "float32")
    index = lifted.frames[:, :, None, None].expand(-1, -1, *targets.shape[2:])
    value = loss(lifted.poses.float(), targets.gather(1, index))
    optimiser.zero_grad(set_to_none=True)
    value.backward()
    torch.nn.utils.clip_grad_norm_(lifter.parameters(), CLIP)
    optimiser.step()


def measured(text, attention, dtype, on, steps=6):
    """Seconds of each step after two, and bytes: held at most, and reserved by the allocator."""
    recipe = Recipe.of(text, ("synthetic",))
    with torch.device(on):
        lifter = build(text).train()
    optimiser = OPTIMISERS[recipe.optimiser](lifter.parameters(), weight_decay=recipe.weight_decay)
    inputs = lifter.example(BATCH, on)
    targets = torch.randn(*inputs[0].shape[:3], 3, device=on)
    torch.backends.cuda.matmul.allow_tf32 = dtype == "tf32"
    cuda = on == "cuda"
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    took = []
    with sdpa_kernel(SDPBackend.MATH) if attention == "plain" else nullcontext():
        for _ in range(steps + 2):
            start = synchronised()
            step(lifter, optimiser, LOSSES[recipe.loss], inputs, targets, dtype == "bfloat16")
            took.append(synchronised() - start)
    torch.backends.cuda.matmul.allow_tf32 = False
    memory = (torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()) if cuda else ()
    return took[2:], memory


def main():
    asked = options(__doc__).parse_args()
    on = device(asked.rehearse)
    rows, begun = Rows(asked.results, on), time.monotonic()
    for attention, dtype in WAYS:
        for text in tables(asked.rehearse, ("table4", "table3")):
            conditions = {"batch": BATCH, "attention": attention, "dtype": dtype}
            if rows.known(text, "training.step", conditions):
                continue
            if time.monotonic() - begun > asked.seconds:
                return
            try:
                took, memory = measured(text, attention, dtype, on)
            except RuntimeError as error:  # out of memory must not cost the others
                say(failed=text, why=str(error)[:200])
                continue
            found = {"training.step": (statistics.median(took), "s", min(took), max(took), 6)}
            for name, value in zip(("allocated", "reserved"), memory, strict=False):
                found[f"training.memory_{name}"] = (value, "B", None, None, 1)
            rows.write(text, conditions, found)
            gib = [round(value / 2**30, 2) for value in memory]
            ms = round(1e3 * statistics.median(took), 2)
            say(step=text, attention=attention, dtype=dtype, ms=ms, gib=gib)


if __name__ == "__main__":
    main()
