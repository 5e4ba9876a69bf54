"""Train one network for any schedule as long as the minutes last, and bring its weights back.

The rate falls as a cosine of the time that has passed, so that a run of any length ends well. Each
minute the weights and their moving average are written as float16, with the number of steps done;
--begin goes on from such a file with the optimiser started anew.
"""

import json
import math
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from benchmarks.gpu.common import device, options, say
from htpbench.learning.recipes import Recipe
from htpbench.learning.step import optimiser_of
from htpbench.systems.combination import parse
from htpbench.training.sampler import Sampler
from htpbench.training.step import advance
from htpbench.training.trainee import Trainee

DECAY = 0.999  # of the moving average, a step


class Passing:
    """A rate by the time that has passed, in place of a recipe's schedule by steps."""

    def __init__(self, seconds, warmup=300):
        self.begun, self.seconds, self.warmup = time.monotonic(), seconds, warmup

    @property
    def passed(self):
        return (time.monotonic() - self.begun) / self.seconds

    def rate(self, peak, step):
        warm = min(1.0, (step + 1) / self.warmup)
        return peak * warm * max(0.01, (1 + math.cos(math.pi * min(1.0, self.passed))) / 2)


def write(folder, name, tensors, card):
    """float16 beside its card, whole or not at all."""
    halves = {key: value.detach().half().cpu().contiguous() for key, value in tensors.items()}
    draft = folder / f".{name}"
    save_file(halves, draft)
    draft.replace(folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text(json.dumps(card))


def main():
    parser = options(__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", default="synthetic")
    parser.add_argument("--begin", type=Path, help="weights of an earlier run (moving average)")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-3)
    asked = parser.parse_args()
    on = device(asked.rehearse)
    text = "mixste.tiny-27" if asked.rehearse else "mixste.small-243"
    combination = parse(text)
    torch.backends.cuda.matmul.allow_tf32 = True  # autocast would launch more, and that binds
    how = {"batch": asked.batch, "rate": asked.rate, "weight_decay": 0.01, "steps": 10**6}
    recipe = Recipe.of(text, (asked.data,), any_schedule=True, loss="mixste", **how)
    torch.manual_seed(0)
    trainee = Trainee(combination, True).to(on).train()
    before = 0
    if asked.begin:
        trainee.load_state_dict({k: v.float() for k, v in load_file(asked.begin).items()})
        before = json.loads(asked.begin.with_suffix(".json").read_text())["steps"]
    average = {key: value.detach().clone() for key, value in trainee.state_dict().items()}
    optimiser = optimiser_of(recipe, trainee.parameters())
    begun = time.monotonic()
    sampler = Sampler(recipe, combination)
    say(data_seconds=round(time.monotonic() - begun, 1), epoch=sampler.epoch)
    passing = Passing(asked.seconds)
    asked.out.mkdir(parents=True, exist_ok=True)
    step, losses, saved = before, [], time.monotonic()
    while True:
        rate = passing.rate(recipe.rate, step)
        losses.append(advance(recipe, trainee, optimiser, sampler, step, rate, on))
        step += 1
        ours, theirs = list(average.values()), list(trainee.state_dict().values())
        torch._foreach_lerp_(ours, theirs, 1 - min(DECAY, (step - before) / (step - before + 10)))
        over = passing.passed >= 1
        if over or time.monotonic() - saved > (5 if asked.rehearse else 60):
            last = losses[-200:]
            card = {
                "schedule": "any",
                "recipe": {
                    **{name: how[name] for name in ("batch", "rate", "weight_decay")},
                    "combination": text,
                    "data": [one.name for one in sampler.sets],
                    "loss": recipe.loss,
                    "precision": recipe.precision,
                    "seed": recipe.seed,
                    "steps": step,
                    "rate_schedule": "cosine of the time passed",
                },
                "steps": step,
                "seconds": round(time.monotonic() - passing.begun, 1),
                "loss": torch.stack(last).mean().item(),
                "device": torch.cuda.get_device_name() if on == "cuda" else "cpu",
            }
            write(asked.out, "average", average, card)
            write(asked.out, "last", trainee.state_dict(), card)
            saved = time.monotonic()
            say(step=step, seconds=card["seconds"], loss=round(card["loss"], 5))
        if over:
            return


if __name__ == "__main__":
    main()
