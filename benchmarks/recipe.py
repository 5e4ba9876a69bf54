"""Which recipe trains the small network best in a few minutes of one core: an Optuna study.

    python benchmarks/recipe.py DATA.npz --trials 30        any number of processes, again to resume
    python benchmarks/recipe.py DATA.npz --show             the table, and what mattered

Every trial trains a MixSTE for any schedule for as many minutes of computing, and is scored on
training subjects that it was not trained on; one that is behind the median at the same share of its
minutes is given up.
"""

from __future__ import annotations

import argparse
import math
import shutil
from pathlib import Path

import optuna
import pandas
import torch
from rich.console import Console

from htpbench.errors import BenchError
from htpbench.learning.rates import Cosine
from htpbench.learning.recipes import Recipe
from htpbench.outside.progress import bar
from htpbench.systems import cards
from htpbench.training.train import train

LONGEST = 81  # frames; of shorter windows a batch has as many more
HELD_OUT = ("05", "16", "35")  # dance; walks, jumps and runs: 19,303 frames
DETECTORS = ("cpn", "sh", "clean")
GIVEN_UP_AFTER = 4  # tenths of the minutes
BASE = {
    "width": 32,
    "blocks": 4,
    "input": "person",
    "frames": LONGEST,
    "batch": 8,
    "rate": 3e-3,
    "warmup": 200,
    "ema_decay": 0.998,
    "loss": "mixste",
}
# The first trials: the base, and one thing changed at a time.
CHANGED = (
    {},
    {"loss": "mpjpe"},
    {"input": "screen"},
    {"frames": 27},
    {"frames": 9},
    {"batch": 4},
    {"width": 24},
    {"width": 48},
    {"rate": 6e-3},
    {"blocks": 2},
    {"warmup": 40},
    {"ema_decay": 0.0},
)


def recipe(trial: optuna.Trial, data: str, minutes: float) -> Recipe:
    """What a trial trains; its size becomes a variant of the backbone in this process."""
    width = trial.suggest_categorical("width", [24, 32, 48, 64])
    blocks = trial.suggest_int("blocks", 2, 6)
    root_relative = trial.suggest_categorical("input", ["screen", "person"]) == "person"
    frames = trial.suggest_categorical("frames", [9, 27, LONGEST])
    sizes = cards.shipped("backbone")["mixste"].variants  # type: ignore[attr-defined]
    name = f"w{width}d{blocks}{'c' if root_relative else 's'}"
    own = {"blocks": blocks, "width": width, "heads": width // 16 or 1, "mlp_ratio": 2.0}
    sizes[name] = cards.Variant(**own, drop_path=0.0, root_relative=root_relative)  # type: ignore[arg-type]
    return Recipe.of(
        f"mixste.{name}-{frames}",
        (data,),
        minutes=minutes,
        batch=trial.suggest_categorical("batch", [2, 4, 8, 16]) * LONGEST // frames,
        rate=trial.suggest_float("rate", 5e-4, 1e-2, log=True),
        rate_schedule=Cosine(trial.suggest_int("warmup", 20, 400, log=True)),
        ema_decay=trial.suggest_categorical("ema_decay", [0.0, 0.99, 0.998]),
        loss=trial.suggest_categorical("loss", ["mixste", "mpjpe"]),
        any_schedule=True,
        held_out=HELD_OUT,
        filmed=0.5,
        detectors=DETECTORS,
    )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--out", type=Path, default=Path("runs/recipe"))
    parser.add_argument("--show", action="store_true")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    backend = optuna.storages.journal.JournalFileBackend(str(asked.out / "journal.log"))
    study = optuna.create_study(
        study_name=f"recipe, {asked.minutes:g} minutes",
        storage=optuna.storages.JournalStorage(backend),
        sampler=optuna.samplers.TPESampler(n_startup_trials=len(CHANGED), constant_liar=True),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=GIVEN_UP_AFTER),
        load_if_exists=True,
    )
    if asked.show:
        show(study)
        return
    if not study.trials:
        for change in CHANGED:
            study.enqueue_trial(BASE | change)

    def objective(trial: optuna.Trial) -> float:
        folder = asked.out / f"trial{trial.number}"
        shutil.rmtree(folder, ignore_errors=True)  # of a trial that was killed
        scores: list[float] = []
        length = 1  # steps, at the pace so far
        with bar(Console(stderr=True), small=True) as told:

            def tick(step: int, steps: int, loss: float) -> None:
                nonlocal length
                length = steps
                told(step, steps, f"trial {trial.number}, loss {loss:.4f}")

            def scored(step: int, error: float) -> None:
                scores.append(error)
                trial.set_user_attr("steps", length)
                trial.report(error, 10 * step // length)
                if trial.should_prune():
                    raise optuna.TrialPruned

            train(recipe(trial, asked.data, asked.minutes), folder, tick=tick, scored=scored)
        return scores[-1]

    ended = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    while len(study.get_trials(deepcopy=False, states=ended)) < asked.trials:
        study.optimize(objective, n_trials=1, catch=(BenchError,))  # a loss that is not finite
        last = study.trials[-1]
        print(last.number, last.state.name, last.value, last.params, flush=True)


def show(study: optuna.Study) -> None:
    """All trials by their score where the first are given up, and at the end; what mattered there.

    What was given up has no end, so that only scores at this share of the minutes are compared.
    """
    looked = [(trial, at_the_share(trial)) for trial in study.get_trials(deepcopy=False)]
    known = [(trial, score) for trial, score in looked if score is not None]
    lines = [
        {"trial": trial.number, f"{10 * GIVEN_UP_AFTER} %": score, "end": ended(trial)}
        | trial.params
        | trial.user_attrs
        for trial, score in sorted(known, key=lambda each: each[1])
    ]
    print(pandas.DataFrame(lines).to_markdown(index=False, floatfmt=".4g"))
    alike = optuna.create_study()
    for trial, score in known:
        made = optuna.trial.create_trial(
            params=trial.params, distributions=trial.distributions, value=math.log(score)
        )
        alike.add_trial(made)
    importances = optuna.importance.get_param_importances(alike)
    print("\n".join(f"| {name} | {share:.2f} |" for name, share in importances.items()))


def at_the_share(trial: optuna.trial.FrozenTrial) -> float | None:
    """The last score up to where the first are given up."""
    scores = trial.intermediate_values
    early = [share for share in scores if share <= GIVEN_UP_AFTER]
    return scores[max(early)] if early and max(scores) >= GIVEN_UP_AFTER else None


def ended(trial: optuna.trial.FrozenTrial) -> float | None:
    """The score at the end, of a trial that came to it."""
    return trial.value if trial.state == optuna.trial.TrialState.COMPLETE else None


if __name__ == "__main__":
    main()
