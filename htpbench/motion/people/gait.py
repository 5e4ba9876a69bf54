"""Gaits: bodies that walk, run and turn, with feet that rest where they were put."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from htpbench.motion.clip import FRAME_RATE
from htpbench.motion.people.body import Body, Plan
from htpbench.motion.people.curves import glide, wander
from htpbench.motion.people.stance import GRAVITY, across, stand

MARGIN = 100  # frames before and after a gait, where steps begin and end


def walk(body: Body, frames: int, rng: Generator) -> Plan:
    """Walk about at 0.6 to 1.5 m/s."""
    return gait(body, frames, rng, running=False)


def run(body: Body, frames: int, rng: Generator) -> Plan:
    """Jog about at 1.2 to 2.5 m/s."""
    return gait(body, frames, rng, running=True)


def turn(body: Body, frames: int, rng: Generator) -> Plan:
    """Turn on the spot, step by step, this way and that, with pauses and gestures."""
    frames += 2 * MARGIN
    plan = stand(body, frames, rng)
    times = np.cumsum(rng.uniform(0.4, 1.0, 60))
    angles, cycles = np.zeros((2, 60))
    for key in range(1, 60, 2):  # turn, then rest
        angle = rng.uniform(0.5, 3.0) * rng.choice([-1, 1])
        count = int(np.ceil(abs(angle) / 1.4))
        times[key:] += count * rng.uniform(0.5, 0.8)
        angles[key:] += angle
        cycles[key:] += count
    plan.heading = plan.heading + glide(times, angles, frames)
    plan.face[:, 0] += np.clip(0.4 * np.gradient(plan.heading) * FRAME_RATE, -0.9, 0.9)
    phase = glide(times, cycles, frames)
    step(plan, body, phase, 0.6, rng.uniform(50, 120), body.hip * rng.uniform(0.8, 1.2))
    plan.wrists += 0.15 + wander(rng, frames, [0.25, 0.25, 0.3] * 2).reshape(frames, 2, 3)
    return plan.crop(MARGIN)


def gait(body: Body, frames: int, rng: Generator, running: bool) -> Plan:
    """Walk or run about."""
    frames += 2 * MARGIN
    plan = stand(body, frames, rng)
    pace = rng.uniform(1400, 2200) if running else rng.uniform(650, 1450)
    pace *= body.leg / 880
    speed = pace * (1 + wander(rng, frames, [0.15])[:, 0])
    lean = roam(plan, rng, speed, loops=1 if running else int(rng.integers(1, 3)))
    stride = (0.55 * pace + 350) if running else (0.55 * pace + 520)
    phase = rng.random() + np.cumsum(speed / stride) / FRAME_RATE
    duty = 0.36 if running else 0.5  # until the heel rises
    lift = rng.uniform(240, 380) if running else rng.uniform(60, 130)
    step(plan, body, phase, duty, lift, body.hip * rng.uniform(0.4, 0.9))

    beat = np.cos(2 * np.pi * phase)  # 1 when the left foot lands
    bob = np.cos(4 * np.pi * (phase - duty / 2))  # 1 in the middle of each rest
    bounce = rng.uniform(-45, -25) if running else rng.uniform(10, 22)
    plan.pelvis[:, 2] += bounce * bob - (0.05 if running else 0.02) * body.leg
    sway = rng.uniform(5, 25) * np.cos(2 * np.pi * (phase - duty / 2))
    plan.pelvis[:, :2] += sway[:, None] * across(plan.heading)
    twist = rng.uniform(0.06, 0.16) * beat
    pitch = rng.uniform(0.08, 0.2) if running else rng.uniform(0, 0.08)
    plan.turn += np.stack([-twist, np.full(frames, pitch), lean], axis=-1)
    plan.chest[:, 0] += 1.8 * twist
    carry = [0.2, 0.12, -0.5] if running else [0.08, 0.14, rng.uniform(-0.98, -0.88)]
    arms = rng.uniform(0.2, 0.32) if running else rng.uniform(0.1, 0.4)
    drift = 0.5 * (plan.wrists - plan.wrists.mean(axis=0))
    plan.wrists = carry + drift
    for side, out in enumerate((1, -1)):
        plan.wrists[:, side, 0] -= out * arms * beat
        plan.wrists[:, side, 2] += 0.3 * arms * (1 - out * beat) / 2
    return plan.crop(MARGIN)


def step(
    plan: Plan, body: Body, phase: np.ndarray, duty: float, lift: float, half_width: float
) -> None:
    """Set the ankles of a gait of `phase` cycles: a foot rests for `duty` of a cycle, then swings.

    It rests where the body is in the middle of that rest, to the foot's side.
    """
    for side, (offset, out) in enumerate(((0.0, 1), (0.5, -1))):
        cycle = phase + offset
        count = np.floor(cycle)
        x = np.clip((cycle - count - duty) / (1 - duty), 0, 1)[:, None]
        swing = x * x * (3 - 2 * x)
        spots = []
        for number in (count, count + 1):
            middle = number + duty / 2
            yaw = np.interp(middle, cycle, plan.heading)
            spot = [np.interp(middle, cycle, plan.pelvis[:, axis]) for axis in (0, 1)]
            spots.append(np.stack(spot, axis=-1) + out * half_width * across(yaw))  # (n, 2)
        plan.ankles[:, side, :2] = (1 - swing) * spots[0] + swing * spots[1]
        plan.ankles[:, side, 2:] = body.ankle + lift * np.sin(np.pi * x**0.75) ** 2


def roam(plan: Plan, rng: Generator, speed: np.ndarray, loops: int) -> np.ndarray:
    """Move the pelvis at `speed` (n,) mm/s along a ring or, in 2 loops, a figure of eight.

    It faces where it goes. Returns the lean (n,) that balances the turning, 0.3 at most.
    """
    wide = rng.uniform(950, 1250)
    deep = wide * (rng.uniform(0.75, 1.0) if loops == 1 else rng.uniform(0.35, 0.5))
    angle = np.linspace(0, 40 * np.pi, 20000)
    curve = np.stack([wide * np.cos(angle), deep * np.sin(loops * angle)], axis=-1)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    walked = rng.uniform(0, length[len(length) // 20]) + np.cumsum(speed) / FRAME_RATE
    angle = rng.choice([-1, 1]) * np.interp(walked, length, angle)
    plan.pelvis[:, :2] = np.stack([wide * np.cos(angle), deep * np.sin(loops * angle)], axis=-1)
    velocity = np.gradient(plan.pelvis[:, :2], axis=0)
    plan.heading = np.unwrap(np.arctan2(velocity[:, 1], velocity[:, 0]))
    return 0.3 * np.tanh(-speed * np.gradient(plan.heading) * FRAME_RATE / GRAVITY / 0.3)
