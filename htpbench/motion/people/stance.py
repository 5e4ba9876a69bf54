"""Standing: where every action starts."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from htpbench.motion.people.body import Body, Plan
from htpbench.motion.people.curves import wander

GRAVITY = 9810.0  # mm / s2


def stand(body: Body, frames: int, rng: Generator) -> Plan:
    """Stand in a style of one's own, never quite still: where every other action starts."""
    heading = np.full(frames, rng.uniform(-np.pi, np.pi))
    half_width = body.hip * rng.uniform(0.8, 1.6)
    hang = [rng.uniform(0.05, 0.2), rng.uniform(0.1, 0.25), rng.uniform(-1.0, -0.93)]
    slouch = rng.normal(0.06, 0.06)
    pelvis = np.array([0, 0, body.ankle + 0.99 * body.leg])
    plan = Plan(
        pelvis=pelvis + wander(rng, frames, [20, 25, 6]),
        heading=heading,
        turn=wander(rng, frames, [0.08, 0.04, 0.03]),
        chest=np.array([0, slouch, 0]) + wander(rng, frames, [0.12, 0.08, 0.06]),
        face=np.array([0, -slouch, 0]) + wander(rng, frames, [0.6, 0.25, 0.12]),
        ankles=np.zeros((frames, 2, 3)),
        wrists=np.array(hang) + wander(rng, frames, [0.08, 0.05, 0.03] * 2).reshape(frames, 2, 3),
        splay=np.full(frames, rng.uniform(0.05, 0.4)),
    )
    place(plan, body, half_width, np.zeros((frames, 2)))
    return plan


def place(plan: Plan, body: Body, half_width: float, ground: np.ndarray) -> None:
    """Put both ankles on the floor about `ground` (n, 2), across the heading."""
    for side, out in enumerate((1, -1)):
        plan.ankles[:, side, :2] = ground + out * half_width * across(plan.heading)
    plan.ankles[..., 2] = body.ankle


def across(heading: np.ndarray) -> np.ndarray:
    """(n, 2): unit steps to the left of headings (n,)."""
    return np.stack([-np.sin(heading), np.cos(heading)], axis=-1)


def forward(plan: Plan, distance: np.ndarray) -> np.ndarray:
    """(n, 2): distances (n,) along the heading, as world x and y."""
    return distance[:, None] * np.stack([np.cos(plan.heading), np.sin(plan.heading)], axis=-1)
