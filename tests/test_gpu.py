"""What only a GPU can show: the CPU's poses, no waiting in a forward pass, errors that end well."""

import json
import os
import signal
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import small
import torch
from paths import ROOT
from safetensors.torch import load_file
from test_half_precision import velocity_gradients
from test_matrix import COLUMNS, KEPT, listed, places, spelled

from htpbench.bench import together
from htpbench.bench.runner import run
from htpbench.datasets import open_data
from htpbench.diffusion.sampler import Sampling
from htpbench.learning.recipes import Recipe
from htpbench.learning.step import optimiser_of
from htpbench.measuring import scoring, timing
from htpbench.measuring.environment import gpu_id
from htpbench.measuring.evaluation import prepare
from htpbench.measuring.prediction import predict
from htpbench.network.build import build
from htpbench.records import clocks
from htpbench.study.loading import by_hand
from htpbench.systems.cards import shipped
from htpbench.systems.combination import parse
from htpbench.systems.refusals import refusals
from htpbench.training.run import Run
from htpbench.training.sampler import Sampler
from htpbench.training.step import advance
from htpbench.training.train import train
from htpbench.training.trainee import Trainee

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]
NAMES = ["mixste.tiny-27", "mixste.tiny-27+tps:9@1+tri", "mixste.tiny-27+tpc:13@0,5@2+tra"]


@pytest.fixture(autouse=True)
def precise(monkeypatch):
    """cuDNN rounds float32 to TF32 unless told otherwise."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def networks(backbone):
    """A backbone alone, and every cell of the grid that works, pruned as often as it can be."""
    yield small.tiny(backbone), None
    for pruner, recoverer in COLUMNS:
        refused = listed(backbone, pruner, recoverer)
        allowed = places(backbone, pruner, recoverer)
        for pipeline in ("seq2seq", "seq2frame"):
            if not {pipeline, "any use"} & refused.keys():
                text = spelled(backbone, pruner, recoverer, zip(KEPT, allowed, strict=False))
                yield text, pipeline


def on_gpu(value):
    return tuple(one.to("cuda") for one in value)


@pytest.mark.parametrize("masked", [False, True], ids=["gathered", "masked"])
@pytest.mark.parametrize("backbone", shipped("backbone"))
def test_every_cell_lifts_as_on_the_cpu_and_waits_for_nothing(backbone, masked):
    if masked and "masked" in refusals(backbone):
        pytest.skip(refusals(backbone)["masked"])
    waits, differ = [], []
    for text, pipeline in networks(backbone):
        torch.manual_seed(0)
        lifter = build(text, pipeline, masked=masked).eval()
        clip = lifter.example(2)
        with torch.inference_mode():
            here = lifter(*clip)
        lifter, clip = lifter.to("cuda"), on_gpu(clip)
        with torch.inference_mode():
            there = lifter(*clip)  # constants are copied to the device once
            torch.cuda.set_sync_debug_mode("error")
            try:
                lifter(*clip)
            except RuntimeError as error:
                waits.append(f"{text} {pipeline}: {error}")
            finally:
                torch.cuda.set_sync_debug_mode("default")
        same = all(a.equal(b.cpu()) for a, b in zip(here.kept, there.kept, strict=True))
        if not same or not torch.allclose(here.poses, there.poses.cpu(), atol=1e-4, rtol=0):
            gap = (here.poses - there.poses.cpu()).abs().max().item()
            differ.append(f"{text} {pipeline}: kept {'same' if same else 'other'}, {gap:.1e} m")
    assert not waits, waits
    assert not differ, differ


@pytest.mark.parametrize("combination", ["mixste.tiny-27", "d3dp.tiny-27", "motionbert.tiny-27"])
def test_a_step_of_training_waits_for_nothing(combination):
    asked = Recipe.of(
        combination, ("synthetic",), steps=9, batch=2, any_schedule=True, ema_decay=0.9, filmed=1.0
    )
    parsed = parse(combination)
    network = Trainee(parsed, True).to("cuda")
    run = Run(asked, network, optimiser_of(asked, network.parameters()))
    sampler = Sampler(asked, parsed)
    for step in range(9):
        torch.cuda.set_sync_debug_mode("error" if step > 2 else "default")
        try:
            advance(asked, run.trainee, run.optimiser, sampler, step, 1e-3, "cuda")
            run.follow()
        finally:
            torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("name", [*NAMES, "mixste.tiny-27+htp:13@0,5@2+tra"])
def test_a_graph_replays_what_a_call_gives(name):
    lifter = build(name).eval().to("cuda")
    clip = lifter.example(2, "cuda")
    with torch.inference_mode():
        lifter(*clip)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            recorded = lifter(*clip)
        clip[0].copy_(torch.rand_like(clip[0]))
        graph.replay()
        torch.testing.assert_close(recorded.poses, lifter(*clip).poses, atol=1e-5, rtol=0)


def told(makers, **settings):
    """What a clock tells of networks in one process, by name and metric."""
    found = timing.measure(makers, "cuda", rounds=3, round_s=0.01, record=True, **settings)
    parts = {name: {one.metric: one.value for one in each} for name, each in found}
    return {n: {m.metric: m.value for m in clocks.joined("time", [p])} for n, p in parts.items()}


def test_times_and_errors_come_from_the_gpu_and_training_can_go_on():
    lifters = {name: build(name) for name in NAMES}
    for values in told({name: lambda one=one: one for name, one in lifters.items()}).values():
        assert set(small.metrics("time")) <= set(values)
        assert values["time.device"] > 0 and values["time.forward"] > 0
    evaluation = prepare(open_data("synthetic"), 27, "seq2seq", limit=2)
    views, windows = evaluation.views, evaluation.windows
    first = lifters[NAMES[0]]
    there = scoring.measure(predict(first, views, windows, device="cuda"), evaluation)
    first.train()(*first.example(2, "cuda")).poses.mean().backward()
    here = scoring.measure(predict(first.to("cpu"), views, windows), evaluation)
    assert there[0].value == pytest.approx(here[0].value, abs=0.05)


@pytest.mark.parametrize("batch", [1, 32])
def test_two_clocks_and_a_graph(batch):
    """A graph leaves launches out, so that its wall is nearly what the device is busy for."""
    makers = {name: partial(build, name) for name in NAMES}
    eager, graph = (told(makers, batch=batch, graph=graph) for graph in (False, True))
    for name in NAMES:
        wall, device = eager[name]["time.forward"], eager[name]["time.device"]
        replayed, busy = graph[name]["time.forward"], eager[name]["time.busy"]
        print(f"{name} at {batch}: wall {wall:.2e} device {device:.2e} graph {replayed:.2e} s")
        assert busy == pytest.approx(device / wall) and device < 1.05 * wall
        assert replayed < 1.05 * wall


def test_products_are_float32_and_the_row_says_so(tmp_path):
    runner = bench(tmp_path, NAMES[:1], ["time"])
    facts = runner.context.environment
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
    assert facts["tf32"] is False and facts["attention"] and facts["cudnn"]
    print({key: facts.get(key) for key in ("driver_version", "power.limit", "clocks.max.sm")})


def test_a_gpu_has_one_lock_by_whatever_name():
    assert gpu_id("cuda") == gpu_id("cuda:0") and gpu_id("cuda").startswith("GPU-")


def test_a_diffusion_lifter_is_sampled_from_and_timed(tmp_path):
    texts = ["d3dp.tiny-27", "d3dp.tiny-27+htp:9@1+tri"]
    rows = run(bench(tmp_path, texts, ["sampling"]), [*map(parse, texts)], print)
    values = {(row.combination, row.metric): row.value for row in rows}
    assert values[texts[1], "sampling.calls"] == 50 and values[texts[1], "sampling.forward"] > 0


def test_what_does_not_fit_is_denoised_a_few_at_a_time():
    network, evaluation = (
        build("d3dp.tiny-27"),
        prepare(open_data("synthetic"), 27, "seq2seq", limit=2),
    )
    views, windows = evaluation.views, evaluation.windows
    whole = predict(network, views, windows, device="cuda", sampling=Sampling(4, 2, rows=8))
    few = predict(network, views, windows, device="cuda", sampling=Sampling(4, 2, rows=1))
    np.testing.assert_allclose(whole.poses, few.poses, atol=1e-2)  # mm


def bench(results, texts, meters):
    study = by_hand([parse(one) for one in texts], meters, "synthetic", {}, weights="random")
    clock = study.timing.model_copy(update={"rounds": 3, "processes": 1})
    study = study.model_copy(update={"timing": clock})
    return small.runner(study, results, "cuda")


def test_a_full_memory_is_one_row_and_the_others_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(together.Run, "child", small.in_this_process)  # which has the limit
    torch.cuda.empty_cache()
    _, total = torch.cuda.mem_get_info()
    held = torch.cuda.memory_reserved()
    torch.cuda.set_per_process_memory_fraction((held + 2**27) / total)  # 128 MiB more
    try:
        texts = ["mixste.tiny-9+tps:3@1+tri", "mixste-243"]
        rows = run(bench(tmp_path, texts, ["time"]), map(parse, texts), print)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    states = {(row.combination, row.status) for row in rows}
    assert states == {(texts[0], "ok"), (texts[1], "failed")}, states
    assert all("out of memory" in row.reason for row in rows if row.status == "failed")


FAR = """
import torch
from htpbench.network.contracts import Pruner
from htpbench.systems.registry import PRUNERS


@PRUNERS.register("far")
class Far(Pruner):
    def select(self, view, r):
        far = 10**6 if view.kept.is_cuda else 0
        return torch.arange(r, device=view.kept.device).expand(len(view.kept), r) + far
"""


def test_a_poisoned_context_is_one_row_and_ends_its_process_alone(tmp_path):
    (tmp_path / "far.py").write_text(FAR)
    command = [sys.executable, "-m", "htpbench", "--import", "far.py", "run"]
    command += ["mixste.tiny-9+tps:3@1+tri", "mixste.tiny-9+far:3@1+tri", "--device", "cuda"]
    command += ["--meter", "time", "--results", "results"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    files = list(tmp_path.glob("results/*/*.jsonl"))
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    states = {(one["combination"], one["status"]) for one in lines if "status" in one}
    wanted = {("mixste.tiny-9+tps:3@1+tri", "ok"), ("mixste.tiny-9+far:3@1+tri", "failed")}
    assert (done.returncode, states) == (0, wanted), (states, done.stderr[-2000:])


def test_bfloat16_points_where_float32_does():
    whole, half, _ = velocity_gradients("cuda")
    cosine = torch.cosine_similarity(whole, half, dim=0).item()
    print(f"cosine of the velocity loss's gradient, bfloat16 with float32: {cosine:.4f}")
    assert cosine > 0.95


def test_training_resumes_on_the_gpu(tmp_path):
    recipe = Recipe.of("mixste.tiny-9", ("synthetic",), steps=6, batch=4, precision="float32")

    def stop(step, *_):
        if step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    whole = load_file(train(recipe, tmp_path / "whole", "cuda"))
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "again", "cuda", tick=stop)
    again = load_file(train(recipe, tmp_path / "again", "cuda"))
    print(f"resumed to the same bits: {all(whole[key].equal(again[key]) for key in whole)}")
    for key, value in whole.items():
        torch.testing.assert_close(value, again[key], atol=1e-3, rtol=0)
