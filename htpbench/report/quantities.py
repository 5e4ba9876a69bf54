"""What the papers print: each metric's name for people, and which of ours stands beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas

RATES_OF = 9  # the table of frame rates
OF_3DHP = 10  # the table of another data set than Human3.6M
HUMAN36M_HZ = 50.0
# Frames of Human3.6M's training subjects by four cameras, each as it is and mirrored.
SHOWN_AN_EPOCH = 2 * 1_559_752
DENOISED = 8  # the table of diffusion lifters: its speeds are of whole predictions


@dataclass(frozen=True)
class Quantity:
    """A metric that papers print.

    ours: our metric of the same. gained: our metric of which a ratio to the unpruned network is
    known, where the printed number belongs to a machine; sign: +1 if the printed number grows with
    it, -1 if it falls.
    """

    head: str
    ours: str
    gained: str = ""
    sign: int = 1
    unit: str = ""  # of ours, where it is not the printed one

    @property
    def meter(self) -> str:
        """Who measures it."""
        return self.ours.partition(".")[0]


MPJPE = Quantity("MPJPE", "accuracy.mpjpe")
RATES = {"50.0": 1, "25.0": 2, "16.7": 3, "12.5": 4}  # Hz -> one of so many frames is used
QUANTITIES = {
    "params": Quantity("parameters", "cost.params"),
    "flops": Quantity("FLOPs, papers' convention", "cost.flops_published"),
    "fps": Quantity("FPS", "time.frames_per_second", "time.speedup"),
    "fps_per_frame": Quantity("FPS per frame", "time.clips_per_second", "time.speedup"),
    "ratio": Quantity("share of pruning", "time.prune_share", "time.prune_share"),
    "gpu_memory": Quantity("memory in training", "training_memory.plain", "training_memory.plain"),
    "training_time": Quantity(
        "training time", "training.windows_per_second", "training.speedup", -1
    ),
    "mpjpe": MPJPE,
    **{f"mpjpe@{hz}Hz": replace(MPJPE, head=f"MPJPE at {hz} Hz") for hz in RATES},
    "frame_noise": Quantity("frame noise", "selection.frame_noise", unit="px"),
    "pck150": Quantity("PCK at 150 mm", "accuracy.pck"),
    "auc": Quantity("AUC to 150 mm", "accuracy.auc"),
}
COUNTED = {name: QUANTITIES[name].ours for name in ("params", "flops")}  # of no machine
KINDS: dict[str, tuple[str, ...]] = {  # what people ask for, cheapest first -> its meters
    "cost": ("cost",),
    "memory": ("training_memory",),
    "accuracy": ("accuracy", "selection"),
    "time": ("time", "sampling"),
    "training": ("training",),
}
KIND_OF = {meter: kind for kind, meters in KINDS.items() for meter in meters}
SHARE = "ratio"  # of a pass: what other metrics become over the unpruned network, it is already


def quantity(table: int, metric: str, pipeline: str = "") -> Quantity:
    """What a table prints under a metric of baselines/published/h2ot.csv.

    A pass of a seq2frame network gives one frame, of a seq2seq network all F.
    """
    name = "fps_per_frame" if (metric, pipeline) == ("fps", "seq2frame") else metric
    found = replace(QUANTITIES[name], head=QUANTITIES[metric].head)
    if table != DENOISED:
        return found
    whole = {
        field: getattr(found, field).replace("time.", "sampling.") for field in ("ours", "gained")
    }
    return replace(found, **whole)


def meters_of(table: int, cells: pandas.DataFrame) -> list[str]:
    """The meters of all that a table prints (its cells), cheapest first."""
    asked = {quantity(table, metric).meter for metric in cells["metric"]}
    return [name for name in KIND_OF if name in asked]


def of_accuracy(metric: str) -> bool:
    """Whether a metric of ours is an error, or says of frames how good they are."""
    return KIND_OF.get(metric.partition(".")[0]) == "accuracy"


def rate(table: int, metric: str) -> float | None:
    """The frame rate (Hz) that a printed error is of; None: that of the data."""
    _, _, hz = metric.partition("@")
    usual = None if table == OF_3DHP else HUMAN36M_HZ
    return float(hz.removesuffix("Hz")) if hz else usual
