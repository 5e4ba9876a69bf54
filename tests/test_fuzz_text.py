"""Damaged and hostile text: rows, gate files, cards, training states, studies, claims, journals.

Their readers give what is sound or a BenchError; no other exception or warning comes out, and
little memory goes in.
"""

from __future__ import annotations

import json
import tracemalloc
from copy import deepcopy
from dataclasses import asdict

import pytest
import small
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_fuzz import MOST_MEMORY, damage, damaged, fuzz

from htpbench.bench.claims import Claims, myself
from htpbench.errors import BenchError
from htpbench.gate import check, pinned, telling
from htpbench.gate.finding import Judgement
from htpbench.learning.recipes import Recipe
from htpbench.learning.step import optimiser_of
from htpbench.measuring.context import Context
from htpbench.network import weights
from htpbench.records import verdicts
from htpbench.records.pairing import BY_CLIP, FRAMES
from htpbench.records.results import Results
from htpbench.records.rows import Row, Store
from htpbench.report.build import report_study
from htpbench.search.storage import open_journal
from htpbench.study import loading, study
from htpbench.training.checkpoint import resume, save
from htpbench.training.length import Length
from htpbench.training.run import Run
from htpbench.training.trainee import Trainee

slower = settings(max_examples=max(settings().max_examples // 5, 1))
texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=20) | st.sampled_from(
    ["", "\x1b[31m", "\ud800", "../x", "control: x", "ok", "a" * 20_000, "[/b]", "<b>", "9" * 400]
)
numbers = st.sampled_from(
    [0, 1, -1, 0.5, True, 2**63, 10**400, 1e18, -1e18, 1e300, 5e-324, float("nan"), float("inf")]
)
things = st.recursive(
    st.none() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
deep = st.sampled_from(["[" * 300 + "]" * 300, '{"a":' * 50 + "1" + "}" * 50]).map(json.loads)
changes = st.lists(
    st.tuples(st.integers(0, 10**6), st.sampled_from(["set", "drop", "add"]), things | deep, texts),
    min_size=1,
    max_size=3,
)


def places(found, at=()):
    """Where something stands in objects and lists: the keys on the way, outer ones first."""
    inner = found.items() if isinstance(found, dict) else ()
    if isinstance(found, list):
        inner = enumerate(found)
    for key, value in inner:
        yield (*at, key)
        yield from places(value, (*at, key))


def changed(found, changes):
    """A copy with other things at some places, and fewer or more."""
    found = deepcopy(found)
    for place, kind, value, key in deepcopy(changes):
        known = list(places(found))
        if not known:
            return found
        *way, last = known[place % len(known)]
        holder = found
        for step in way:
            holder = holder[step]
        if kind == "drop":
            del holder[last]
        elif kind == "add" and isinstance(holder, dict):
            holder[key] = value
        else:
            holder[last] = value
    return found


def outcome(read):
    """What comes of it; None after a BenchError. Any other exception fails the test."""
    try:
        return read()
    except BenchError as fault:
        assert len(str(fault)) < 5000
        return None


def frugal(read):
    """The outcome of a reader that takes little memory."""
    tracemalloc.start()
    try:
        return outcome(read)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < MOST_MEMORY, f"{peak / 1e6:.0f} MB"


CARD = {
    "pipeline": "seq2seq",
    "data": "d",
    "split": "test",
    "detections": "cpn",
    "windows": "2 of 2",
}
CARD |= {"stride": 9, "flip": True, "weights": "weights", "training": {"steps": 3, "epochs": None}}
CARD |= {"training_seed": 0, "trained": "same", "weights_sha256": "ab"}
CLOCK = {"device": "cpu", "threads": 1, "dtype": "float32", "batch": 1, "pipeline": "seq2seq"}


def measured(name, by):
    """Rows of a combination, of each kind that something is computed from."""
    facts = {"study": "small", "combination": name, "environment": "e", "unit": "mm"}

    def row(metric, value, conditions, **more):
        return Row(key=f"{name} {metric}", metric=metric, value=value, conditions=conditions,
                   at="2026-01-01T00:00:00Z", **facts, **more)  # fmt: skip

    clips = {"axis": ["a", "b"]}
    return [
        row("cost.flops", 10 * by, {"batch": 1, "pipeline": "seq2seq"}),
        row("time.forward", 0.1 * by, CLOCK, low=0.05 * by, high=0.2 * by, samples=3),
        row("time.speedup", 1.0 * by, CLOCK, low=0.5, high=2.0, samples=3),
        row("accuracy.mpjpe", 50.0 * by, CARD, low=40.0, high=60.0, samples=2),
        row(BY_CLIP, [40.0 * by, 60.0], CARD, **clips),
        row(FRAMES, [9, 18], CARD, **clips),
        row("accuracy.mpjpe_action_mean", 55.0 * by, CARD),
        row("accuracy.actions_by_clip", [0, 1], CARD, **clips),
        row("accuracy.p_mpjpe", None, CARD, status="failed", reason="no memory"),
    ]


ROWS = [asdict(row) for row in [*measured(small.NETWORK, 1), *measured(small.PRUNED, 2)]]
ENVIRONMENT = {"kind": "environment", "id": "e", "machine": "m", "device": "cpu", "threads": 1}
LINES = [ENVIRONMENT, *ROWS]
lines = st.lists(st.tuples(st.integers(0, len(LINES) - 1), changes), min_size=1, max_size=3)
broken = st.one_of(st.none(), damage)


def written(path, found, cuts):
    """A file of JSON lines, its bytes damaged by `cuts`."""
    content = b"".join(json.dumps(line).encode() + b"\n" for line in found)
    path.write_bytes(damaged(content, cuts) if cuts else content)


def with_changes(found, changes):
    """A copy of lines with some of them changed."""
    found = list(found)
    for index, change in changes:
        found[index] = changed(found[index], change)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a study and one that trains its own networks; no figures are drawn in it."""
    with pytest.MonkeyPatch.context() as patch:
        small.quick(patch)
        for name in ("regimes.regimes", "seeds.seeds"):
            patch.setattr(f"htpbench.report.figures.{name}", lambda *_: ())
        folder = tmp_path_factory.mktemp("text")
        (folder / "results").mkdir()
        small.study(folder, meters=("cost", "time", "accuracy"))
        yield folder


@pytest.fixture(scope="module")
def studies(folder):
    """The same rows are reported as of a list, as of a search, as of trained networks."""
    found = loading.load(str(folder / "small.toml"))
    space = {"backbone": small.NETWORK, "pruners": ["tps"], "recoverers": ["tri"], "trials": 1}
    trained = {"lineages": ["same"], "seeds": [0], "steps": 3}
    return [
        found,
        found.model_copy(update={"search": study.Search(**space)}),
        found.model_copy(update={"training": study.Training(**trained), "weights": None}),
    ]


@pytest.mark.slow
@slower
@given(lines, broken)
def test_rows_are_reported_or_skipped_by_their_line(folder, studies, found, cuts):
    results = folder / "results"
    written(results / "small.0.jsonl", with_changes(LINES, found), cuts)
    store = Store(results)
    rows = frugal(store.read) or []
    assert all("small.0.jsonl:" in problem and len(problem) < 1000 for problem in store.problems)
    for one in studies:
        outcome(lambda one=one: report_study(one, Results.read(results), folder / "reports"))
    outcome(lambda: verdicts.compare(small.NETWORK, small.PRUNED, rows))


@fuzz
@given(lines, broken)
def test_a_gate_file_is_compared_or_unreadable(folder, found, cuts):
    path = folder / "gate.jsonl"
    written(path, with_changes(LINES, found), cuts)
    try:
        before = pinned.read(path)
    except pinned.Unreadable as fault:
        assert "gate.jsonl" in str(fault) and fault.exit_code == 4
        return
    after = pinned.Rows(pinned.comparable(Row(**row) for row in ROWS), [ENVIRONMENT])
    judged = Judgement("gate", check.compare(before, after, {}), before, after)
    telling.table(judged)
    for format in ("json", "markdown", "junit"):
        telling.render(judged, format)


@pytest.fixture(scope="module")
def state(folder):
    """A training after one step: recipe, what is trained, tensors and card of its state."""
    recipe = Recipe.of(small.NETWORK, ("synthetic",), steps=3, batch=1)
    trainee = Trainee(small.parse(small.NETWORK), False)
    run = Run(recipe, trainee, optimiser_of(recipe, trainee.parameters()))
    length = Length(recipe, 1, "cpu")
    for parameter in trainee.parameters():
        parameter.grad = torch.zeros_like(parameter)
    run.optimiser.step()
    save(folder / "state.safetensors", run, 2, length, [(1, 50.0)])
    return run, length, *weights.read(folder / "state.safetensors")


tensors = st.sampled_from([(), (0,), (1,), (2, 2), (9, 32), (1, 9, 32), (3, 2)]).flatmap(
    lambda shape: st.sampled_from(
        [torch.full(shape, value, dtype=kind)
         for kind in (torch.float32, torch.float64, torch.int64, torch.bool, torch.float16)
         for value in (0, 1, -1)]
    )
)  # fmt: skip
damage_of_tensors = st.lists(
    st.tuples(
        st.sampled_from(["step", "history", "model.backbone.frame_code", "optimiser"])
        | st.integers(0, 10**6),
        tensors | st.none(),
    ),
    max_size=2,
)


@slower
@given(damage_of_tensors, st.lists(changes, max_size=1), broken)
def test_a_training_state_is_resumed_or_refused(folder, state, wrong, others, cuts):
    run, length, sound, card = state
    found = dict(sound)
    for name, tensor in wrong:
        name = sorted(found)[name % len(found)] if isinstance(name, int) else name
        found.pop(name, None)
        if tensor is not None:
            found[name] = tensor
    path = folder / "damaged.safetensors"
    weights.write(path, found, card)
    for change in others:
        path.with_suffix(".json").write_text(json.dumps(changed(card, change)))
    if cuts:
        path.write_bytes(damaged(path.read_bytes(), cuts))
    reached = frugal(lambda: resume(path, run, length))
    assert reached is None or (0 <= reached[0] <= 3 and all(0 < x <= 3 for x, _ in reached[1]))


@fuzz
@given(changes, broken)
def test_a_card_of_weights_is_told_in_rows_or_refused(folder, state, change, cuts):
    tensors, path = state[2], folder / "carded.safetensors"
    card = {"schedule": "any", "recipe": {"combination": small.NETWORK, "seed": 0, "steps": 3}}
    if not path.exists():
        weights.write(path, {"backbone.x": tensors["step"]}, card)
    content = json.dumps(changed(card, change)).encode()
    path.with_suffix(".json").write_bytes(damaged(content, cuts) if cuts else content)
    here = Context(loading.load("demo").model_copy(update={"weights": str(path)}))
    network = small.parse(small.NETWORK)
    told = outcome(lambda: (here.weights(network).conditions, here.regime(network)))
    if told:
        row = Row(**{**ROWS[3], "conditions": {**told[0], "trained": told[1]}})
        assert Row(**json.loads(json.dumps(asdict(row)))) == row


VALUES = [
    *("-1", "0", "1e308", "inf", "nan", "true", '"x"', "[]", "[1]", '["mixste.tiny-9"]', "{}"),
    *("{a = 1}", "1979-05-27", '"\\u001b[31m"', "99999999999999999999", "[" * 600 + "]" * 600),
    *("9" * 5000, '"""' + "x" * 5000 + '"""', "\x00"),
]
SPACE = """[search]
backbone = "mixste.tiny-9"
pruners = ["tps"]
recoverers = ["tri"]
trials = 3
"""
TRAINED = '[training]\nlineages = ["same"]\nseeds = [0]\nsteps = 3\nbatch = 1\nrate = 0.1\n'


@fuzz
@given(
    st.sampled_from([SPACE, TRAINED, ""]),
    st.lists(st.tuples(st.integers(0, 100), st.sampled_from(VALUES), texts), max_size=2),
    broken,
    st.booleans(),
)
def test_a_study_is_loaded_or_refused(folder, table, wrong, cuts, mark):
    text = (folder / "small.toml").read_text(encoding="utf-8") + table
    found = text.splitlines()
    for place, value, key in wrong:
        name, equals, _ = found[place % len(found)].partition("=")
        found[place % len(found)] = f"{name}= {value}" if equals else f"{json.dumps(key)} = {value}"
    content = b"\xef\xbb\xbf" * mark + "\n".join(found).encode(errors="replace")
    path = folder / "other.toml"
    path.write_bytes(damaged(content, cuts) if cuts else content)
    loaded = frugal(lambda: loading.load(str(path)))
    if loaded is not None:
        assert loaded.reference_combination() and loaded.timing.round_s < 1e9
        json.dumps(loaded.model_dump(), allow_nan=False)


@slower
@given(changes, broken)
def test_a_claim_is_held_or_free(folder, change, cuts):
    claims, owner = Claims(folder / "claims"), json.dumps({**myself(), "deaths": 1})
    claims.folder.mkdir(exist_ok=True)
    content = json.dumps(changed(json.loads(owner), change)).encode()
    (claims.folder / "k").write_bytes(damaged(content, cuts) if cuts else content)
    deaths = claims.take("k")
    assert deaths is None or deaths > 0


OPERATIONS = [
    {"op_code": 0, "worker_id": "w", "study_name": "s", "directions": [1, 1]},
    {"op_code": 4, "worker_id": "w", "study_id": 0, "datetime_start": "2026-01-01T00:00:00.0"},
    {"op_code": 8, "worker_id": "w", "trial_id": 0, "user_attr": {"worker": {"host": "h"}}},
    {"op_code": 8, "worker_id": "w", "trial_id": 0, "user_attr": {"combination": "mixste.tiny-9"}},
    {"op_code": 6, "worker_id": "w", "trial_id": 0, "state": 1, "values": [1.0, 2.0],
     "datetime_complete": "2026-01-01T00:00:01.0"},
]  # fmt: skip
operations = st.lists(
    st.tuples(st.integers(0, len(OPERATIONS) - 1), changes), min_size=1, max_size=2
)


@slower
@given(operations, broken)
def test_a_journal_is_replayed_or_refused(folder, found, cuts):
    path = folder / "small.journal"
    written(path, with_changes(OPERATIONS, found), cuts)
    storage = frugal(lambda: open_journal(path))
    for one in storage.get_all_studies() if storage else ():
        for trial in storage.get_all_trials(one._study_id):
            assert trial.values is None or len(trial.values) == len(one.directions)
