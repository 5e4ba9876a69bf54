"""What the synthetic people do on the spot: each action draws its own style, speed and timing."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from htpbench.motion.clip import FRAME_RATE
from htpbench.motion.people.body import Body, Plan
from htpbench.motion.people.curves import glide, rhythm, through, wander
from htpbench.motion.people.stance import GRAVITY, forward, place, stand


def squat(body: Body, frames: int, rng: Generator) -> Plan:
    """Squat again and again, to various depths."""
    plan = stand(body, frames, rng)
    times = rhythm(rng, frames, (0.6, 1.4))
    depth = rng.uniform(0.25, 1.0, len(times))
    depth[::2] = rng.uniform(0, 0.08, len(depth[::2]))
    down = glide(times, depth, frames)  # (n,), 1: thighs about level
    plan.splay += rng.uniform(0, 0.5)
    plan.pelvis[:, :2] += forward(plan, -0.22 * body.leg * down)
    plan.pelvis[:, 2] -= 0.48 * body.leg * down
    plan.turn[:, 1] += rng.uniform(0.35, 0.6) * down
    plan.chest[:, 1] += rng.uniform(0, 0.3) * down
    plan.face[:, 1] -= 0.4 * down
    held = np.array([rng.uniform(0.4, 0.85), rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.3)])
    plan.wrists += down[:, None, None] * (held - plan.wrists)
    return plan


def wave(body: Body, frames: int, rng: Generator) -> Plan:
    """Raise one hand or both, wave, and lower them again."""
    plan = stand(body, frames, rng)
    first = rng.integers(2)
    for side in [first] if rng.random() < 0.6 else [0, 1]:
        times = rhythm(rng, frames, (0.8, 2.2))
        up = (np.arange(len(times)) + rng.integers(2)) % 2
        raised = glide(times, up.astype(float), frames)[:, None]
        beat = 2 * np.pi * np.cumsum(rng.uniform(1.0, 2.4) + wander(rng, frames, [0.3])[:, 0])
        spot = np.array([rng.uniform(0.05, 0.4), rng.uniform(0.25, 0.6), rng.uniform(0.2, 0.75)])
        swing = np.array([0.03, rng.uniform(0.08, 0.25), 0.06])
        waved = spot + swing * np.sin(beat / FRAME_RATE)[:, None]
        plan.wrists[:, side] += raised * (waved - plan.wrists[:, side])
        plan.chest[:, 2:] += (2 * side - 1) * rng.uniform(-0.02, 0.12) * raised
    return plan


def reach(body: Body, frames: int, rng: Generator) -> Plan:
    """Reach for things high and low, near and far, with one hand and the other."""
    plan = stand(body, frames, rng)
    for side, out in enumerate((1, -1)):
        times = rhythm(rng, frames, (0.5, 1.6))
        goal = rng.uniform([0.35, -0.35, -0.7], [0.9, 0.6, 0.75], (len(times), 3))
        effort = (rng.random((len(times), 1)) < 0.6).astype(float)
        hand = glide(times, effort, frames)  # (n, 1)
        plan.wrists[:, side] += hand * (glide(times, goal, frames) - plan.wrists[:, side])
        low = hand[:, 0] * glide(times, np.maximum(-goal[:, 2], 0), frames)
        plan.pelvis[:, 2] -= 0.4 * body.leg * low**2
        plan.pelvis[:, :2] += forward(plan, -0.12 * body.leg * low)
        plan.turn[:, 1] += 0.6 * low
        plan.chest[:, 1] += (0.25 * hand[:, 0] + 0.5 * low) / 2
        plan.chest[:, 0] -= out * 0.3 * hand[:, 0]
    return plan


def jump(body: Body, frames: int, rng: Generator) -> Plan:
    """Crouch, leap, land; some leaps turn or travel."""
    plan = stand(body, frames, rng)
    times, level, pace, site, swing = [0.0], [0.0], [0.0], [np.zeros(3)], [0.0]
    while times[-1] < frames / FRAME_RATE:
        high = rng.uniform(80, 380)
        leave = np.sqrt(2 * GRAVITY * high)
        crouch = rng.uniform(0.15, 0.33) * body.leg
        land = rng.uniform(0.1, 0.25) * body.leg
        push, sink = 2.2 * crouch / leave, 2.2 * land / leave
        air = leave / GRAVITY
        rest = rng.uniform(0.1, 0.8)
        spans = [rest, rng.uniform(0.35, 0.6), push, air, air, sink, rng.uniform(0.3, 0.6)]
        times += list(times[-1] + np.cumsum(spans))
        level += [0, -crouch, 0, high, 0, -land, 0]
        pace += [0, 0, leave, 0, -leave, 0, 0]
        here = site[-1]
        there = np.array([*rng.uniform(-300, 300, 2), here[2] + rng.normal(0, 0.5)])
        site += [here, here, here, (here + there) / 2, there, there, there]
        swing += [0, -1, 0, 1, 0.6, 0.2, 0]
    keys = np.array(times)
    lifted = glide(keys, np.array(level), frames, np.array(pace))
    spot = glide(keys, np.array(site), frames)  # x, y, heading
    plan.heading = plan.heading + spot[:, 2]
    plan.pelvis[:, :2] += spot[:, :2]
    plan.pelvis[:, 2] += lifted
    place(plan, body, body.hip * rng.uniform(0.8, 1.3), spot[:, :2])
    tuck = rng.uniform(0, 0.5)
    plan.ankles[..., 2] += (1 + tuck) * np.maximum(lifted, 0)[:, None]
    plan.turn[:, 1] += 0.9 * np.maximum(-lifted, 0) / body.leg * 2
    arms = glide(keys, np.array(swing), frames, through(keys, np.array(swing)))[:, None, None]
    top = np.array([rng.uniform(0.2, 0.6), rng.uniform(0.1, 0.5), rng.uniform(-0.2, 0.8)])
    back = np.array([-0.5, 0.2, -0.75])
    plan.wrists += np.maximum(arms, 0) * (top - plan.wrists)
    plan.wrists += np.maximum(-arms, 0) * (back - plan.wrists)
    return plan


def sit(body: Body, frames: int, rng: Generator) -> Plan:
    """Sit down on a seat, stay and gesture, stand up again."""
    plan = stand(body, frames, rng)
    height = rng.uniform(0.95, 1.1) * body.shank + body.ankle
    times, down, lean = [0.0], [0.0], [0.0]
    while times[-1] < frames / FRAME_RATE:
        tempo = rng.uniform(0.4, 0.7)
        spans = [rng.uniform(0.1, 0.8), tempo, tempo, rng.uniform(1.5, 4.0), tempo, tempo]
        times += list(times[-1] + np.cumsum(spans))
        down += [0, 0.5, 1, 1, 0.5, 0]
        rest = rng.uniform(-0.15, 0.3)
        lean += [0, 0.55, rest, rest, 0.6, 0]
    keys = np.array(times)
    seated = glide(keys, np.array(down), frames, through(keys, np.array(down)))
    plan.pelvis[:, 2] += seated * (height - plan.pelvis[:, 2])
    plan.pelvis[:, :2] += forward(plan, -0.93 * body.thigh * seated)
    plan.turn[:, 1] += glide(keys, np.array(lean), frames)
    plan.chest[:, 1] += 0.15 * seated
    lap = np.array([rng.uniform(0.35, 0.6), rng.uniform(-0.2, 0.1), rng.uniform(-0.7, -0.5)])
    rested = lap + wander(rng, frames, [0.25, 0.2, 0.3] * 2, (0.5, 2.5)).reshape(frames, 2, 3)
    plan.wrists += seated[:, None, None] * (rested - plan.wrists)
    return plan
