"""The one string: its grammar, its one spelling, and what a refusal says."""

import random
import subprocess
import sys
import time

import pytest

from htpbench.errors import BenchError
from htpbench.systems.cards import shipped
from htpbench.systems.combination import parse

CANONICAL = [
    "mixste-243",
    "mixste-243+tpc:81@3+tra",
    "mixste-243+tps:121@0,81@3+tri",
    "mhformer-351+tps:175@0,117@1",
    "mixste.tiny-27+tps:13@0,9@2+tri",
    "mixste-243+tps:121@0,81@3+tri:81",
    "d3dp-243+htp~gamma=0~n=4:109@0,81@3+tra",
    "mixste-243+tpc~k=3:81@3+tra~heads=4:9",
    "mixste-1",
    "ktpformer-243+tps:81@1",
]


@pytest.mark.parametrize("text", CANONICAL)
def test_canonical_strings_come_back_as_they_are(text):
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("mixste.paper-243", "mixste-243"),
        ("mixste-243+tps:81@3+tri:243", "mixste-243+tps:81@3+tri"),
        ("mixste-243+tpc~k=2:81@3+tra~heads=8", "mixste-243+tpc:81@3+tra"),
        ("mixste-243+tpc~k=03:81@3", "mixste-243+tpc~k=3:81@3"),
        (
            "d3dp-243+htp~n=4~gamma=0.00:109@0+tra",
            "d3dp-243+htp~gamma=0~n=4:109@0+tra",
        ),
        ("d3dp-243+htp~gamma=-0:109@0+tra", "d3dp-243+htp~gamma=0:109@0+tra"),
        ("d3dp-243+htp~gamma=0.5:109@0+tra", "d3dp-243+htp:109@0+tra"),
    ],
)
def test_one_spelling_per_combination(text, canonical):
    assert str(parse(text)) == canonical
    assert parse(canonical) == parse(text)


@pytest.mark.parametrize("value", ["0.000000001", "999999999.9", "123456789.123456789", "-0.25"])
def test_every_option_value_survives_its_own_spelling(value):
    first = parse(f"d3dp-243+htp~gamma={value}:109@0+tra")
    assert dict(first.pruner.options)["gamma"] == float(value)
    assert parse(str(first)) == first


def test_random_valid_strings_come_back():
    random.seed(0)
    for _ in range(300):
        name, card = random.choice(list(shipped("backbone").items()))
        variant = random.choice(list(card.variants))
        blocks = card.variants[variant].blocks
        drawn = random.randint(6, 40) * card.multiple_of
        frames = card.variants[variant].frames or drawn
        stages = random.randint(0, min(4, blocks - card.first))
        kept = sorted(random.sample(range(1, frames), stages), reverse=True)
        before = sorted(random.sample(range(card.first, blocks), stages))
        text = f"{name}{'' if variant == card.default else '.' + variant}-{frames}"
        if stages:
            text += f"+{random.choice(list(shipped('pruner')))}:"
            text += ",".join(f"{r}@{b}" for r, b in zip(kept, before, strict=True))
            text += random.choice(["", "+tri", "+tra", f"+tri:{random.randint(1, frames - 1)}"])
        combination = parse(text)
        assert str(combination) == text
        assert combination.schedule == tuple(zip(kept, before, strict=True))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["number of frames is missing", "mixste-243"]),
        ("mixste", ["number of frames is missing", "mixste-243"]),
        ("-243", ["unknown backbone ''", "mixste"]),
        ("mixtse-243", ["unknown backbone 'mixtse'", "did you mean mixste"]),
        (" mixste-243", ["unknown backbone ' mixste'", "did you mean mixste"]),
        ("zzz-243", ["unknown backbone 'zzz'", "known: ", "mixste"]),
        ("mixste.tinny-27", ["unknown variant of mixste 'tinny'", "did you mean tiny"]),
        ("mixste.-27", ["unknown variant of mixste ''", "paper"]),
        ("mixste-243+tcp:81@3", ["unknown pruner 'tcp'", "tpc"]),
        ("mixste-243+tps:81@3+tir", ["unknown recoverer 'tir'", "tri"]),
        ("mixste-243+tps:81@3+tps:49@5", ["unknown recoverer 'tps'", "tr"]),
        ("mixste-0", ["F = 0", "at least one frame"]),
        ("mixste-0243", ["number of frames is '0243'", "whole number"]),
        ("mixste-100000", ["number of frames is '100000'", "below 100000"]),
        ("mixste--3", ["unknown backbone 'mixste-'"]),
        ("mixste-2.5", ["number of frames is '2.5'"]),
        ("mixste-\u0662\u0664\u0663", ["number of frames is", "whole number"]),
        ("mixste-243+tps:\u0668\u0661@3", ["r is ", "whole number"]),
        ("mixste-243+tps:81@\u00b3", ["b is ", "whole number"]),
        ("mixste-243\n", ["number of frames is '243\\n'"]),
        ("mhformer-350", ["F = 350", "multiple of 9"]),
        ("mixste-243+tps", ["tps has no schedule", "tps:81@3"]),
        ("mixste-243+tps:", ["tps has no schedule", "tps:81@3"]),
        ("mixste-243+tps:81", ["'81' is no stage", "r@b"]),
        ("mixste-243+tps:81@3,", ["'' is no stage", "r@b"]),
        ("mixste-243+tps:0@3", ["r = 0", "r from 1 to 242"]),
        ("mixste-243+tps:243@3", ["r = 243 after 243 frames", "r from 1 to 242"]),
        ("mixste-243+tps:81@3,81@5", ["r = 81 after 81 frames", "r from 1 to 80"]),
        ("mixste-243+tps:81@3,121@5", ["r = 121 after 81 frames", "r from 1 to 80"]),
        ("mixste-243+tps:121@3,81@3", ["b = 3 after b = 3", "rising"]),
        ("mixste-243+tps:121@3,81@0", ["b = 0 after b = 3", "rising"]),
        ("mixste-243+tps:81@8", ["b = 8", "b from 0 to 7 for mixste"]),
        ("mixste.tiny-27+tps:9@4", ["b = 4", "b from 0 to 3"]),
        ("mixste-243+tps:81@-1", ["b is '-1'", "whole number"]),
        ("ktpformer-243+tps:81@0", ["b = 0", "b from 1 to 7 for ktpformer"]),
        ("mixste-243+tri", ["tri has nothing to recover", "a pruner before +tri"]),
        ("mixste-243+tps:81@3+tri:0", ["f = 0", "f from 1 to F = 243"]),
        ("mixste-243+tps:81@3+tri:244", ["f = 244", "f from 1 to F = 243"]),
        ("mixste-243+tps:81@3+tri:", ["f is ''", "whole number"]),
        ("mixste-243+tps:81@3+tri+tra", ["'tra' is left over", "RECOVERER"]),
        ("mixste-243+", ["unknown recoverer ''"]),
        ("mixste-243+tpc~j=3:81@3", ["unknown option of tpc 'j'", "k"]),
        ("mixste-243+tps~k=3:81@3", ["unknown option of tps 'k'"]),
        ("mixste-243+tpc~k:81@3", ["option 'k'", "~k=value"]),
        ("mixste-243+tpc~k=3~k=4:81@3", ["option 'k=4'", "once"]),
        ("mixste-243+tpc~k=two:81@3", ["k=two", "a value of type int"]),
        ("mixste-243+tpc~=3:81@3", ["unknown option of tpc ''", "k"]),
        ("mixste-243+tpc~k=2.5:81@3", ["k=2.5", "a value of type int"]),
        ("mixste-243+tpc~k=\u0663:81@3", ["a value of type int"]),
        ("mixste-243+tpc~k=:81@3", ["k=", "a value of type int"]),
        ("d3dp-243+htp~gamma=nan:109@0", ["gamma=nan", "a value of type float"]),
        ("d3dp-243+htp~gamma=1e9:109@0", ["gamma=1e9", "a value of type float"]),
    ],
)
def test_refusals_say_what_was_wrong_and_what_was_expected(text, said):
    with pytest.raises(BenchError) as refused:
        parse(text)
    for words in said:
        assert words in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "m" * 10**6 + "-243",
        "mixste-" + "9" * 10**6,
        "mixste-243+tps:" + ",".join(["81@3"] * 10**5),
        "mixste-243" + "+tri" * 10**5,
        "mixste-243+tpc" + "~k=3" * 10**5 + ":81@3",
        "mixste-243+tpc~k=" + "1" * 10**6 + ":81@3",
    ],
)
def test_very_long_strings_are_refused_at_once_and_in_few_words(text):
    start = time.perf_counter()
    with pytest.raises(BenchError) as refused:
        parse(text)
    assert time.perf_counter() - start < 1
    assert len(str(refused.value)) < 1000


def test_the_pipeline_is_asked_then_f_then_the_recoverer_then_the_card():
    pruned = "mixste-243+tps:81@3"
    assert parse("mixste-243").pipeline() == "seq2seq"
    assert parse("mhformer-351").pipeline() == "seq2frame"
    assert parse(pruned).pipeline() == "seq2frame"
    assert parse(f"{pruned}+tri").pipeline() == "seq2seq"
    assert parse("mhformer-351+tps:117@1+tri").pipeline() == "seq2seq"
    assert parse(f"{pruned}+tri:81").pipeline() == "seq2frame"
    assert parse(f"{pruned}+tri:81").pipeline("seq2seq") == "seq2seq"
    assert parse(f"{pruned}+tri").pipeline("seq2frame") == "seq2frame"
    assert parse("mhformer-351").pipeline("seq2seq") == "seq2seq"
    with pytest.raises(BenchError, match=r"seq2seq needs a recoverer; add \+tri or \+tra"):
        parse(pruned).pipeline("seq2seq")
    with pytest.raises(BenchError, match="unknown pipeline 'seq2sec'; did you mean seq2seq"):
        parse(pruned).pipeline("seq2sec")


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("mixste-243", [243] * 8),
        ("mixste-243+tps:121@0,81@3+tri", [121] * 3 + [81] * 5),
        ("mixste-243+tps:81@3,49@7", [243] * 3 + [81] * 4 + [49]),
        ("mhformer-351+tps:175@0,117@1", [175, 117, 117]),
        ("ktpformer-243+tps:81@1+tri", [243] + [81] * 7),
    ],
)
def test_lengths_are_the_frames_that_each_block_sees(text, lengths):
    assert parse(text).lengths() == lengths


def test_a_combination_unpruned():
    assert str(parse("mixste.tiny-27+tps:9@2+tri").unpruned) == "mixste.tiny-27"


def test_parsing_imports_no_torch():
    code = (
        "import sys; from htpbench.systems.combination import parse\n"
        f"for text in {CANONICAL!r}: parse(text).pipeline()\n"
        "print([m for m in ('torch', 'pandas', 'optuna', 'numpy') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
