"""What comes with the package: studies, cards, weights, and what the README says."""

import json
import re
import shlex

import pandas
import pytest
import torch
from paths import ROOT

from htpbench.cli.launch import app
from htpbench.datasets import open_data
from htpbench.measuring import scoring
from htpbench.measuring.controls import mean_pose
from htpbench.measuring.evaluation import prepare
from htpbench.measuring.prediction import predict
from htpbench.network import weights
from htpbench.network.build import build
from htpbench.study import loading
from htpbench.systems.cards import shipped
from htpbench.systems.combination import parse
from htpbench.systems.registry import PRUNERS
from htpbench.testing import PrunerContract

README = (ROOT / "README.md").read_text()
VERBS = (ROOT / "docs" / "verbs.md").read_text()
COMMANDS = re.findall(r"^htpbench (.*?)(?:\s+#.*)?$", README + VERBS, flags=re.MULTILINE)


NETWORKS = ("mixste.tiny-81", "mixste.person-81")


@pytest.fixture(scope="module")
def trained():
    return weights.read(weights.find("mixste.tiny-81"))


def lifter(name, tensors):
    combination = parse(name)
    built = build(combination, any_schedule=True)
    if tensors:
        weights.load_into(built, combination, tensors)
    return built


def errors(built, evaluation, augment=True):
    return measured(predict(built, evaluation.views, evaluation.windows, augment), evaluation)


def measured(found, evaluation):
    return {one.metric: one.value for one in scoring.measure(found, evaluation)}


@pytest.mark.parametrize("name", loading.names())
def test_every_study_loads(name):
    assert loading.load(name).parsed()


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_are_small_and_score_what_their_card_says(name):
    tensors, card = weights.read(weights.find(name))
    assert weights.find(name).stat().st_size < 2_000_000
    (score,) = (one for one in card["scores"] if one["conditions"]["data"] == "synthetic")
    motion = open_data("synthetic")
    limit = int(score["conditions"]["windows"].split()[0])
    evaluation = prepare(motion, 81, "seq2seq", limit=limit)
    told = score["conditions"] | {"fingerprint": evaluation.card["fingerprint"]}
    assert told.items() <= evaluation.card.items()
    for metric, value in errors(lifter(name, tensors), evaluation).items():
        assert value == pytest.approx(score.get(metric, value), abs=0.05)


def test_weights_beat_random_ones_and_the_mean_pose_under_every_schedule_of_the_demo(trained):
    tensors, _ = trained
    evaluation = prepare(open_data("synthetic"), 81, "seq2seq", limit=12)
    control = measured(mean_pose(evaluation), evaluation)["accuracy.mpjpe"]
    for name in loading.load("demo").combinations:
        ours = errors(lifter(name, tensors), evaluation, augment=False)["accuracy.mpjpe"]
        random = errors(lifter(name, None), evaluation, augment=False)["accuracy.mpjpe"]
        assert ours < min(random, control), name


def test_licences_and_places_stand_in_the_docs_as_in_the_cards():
    told = (ROOT / "docs" / "lifters.md").read_text()
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in told.splitlines()]
    rows = {name.strip("`"): row for row in rows for name in row[0].split(", ")}
    known = {name: card.licence for name, card in shipped("backbone").items() if card.licence}
    assert known and {name: rows[name][-1] for name in known} == known
    for name, card in shipped("backbone").items():
        last = card.variants[card.default].blocks - 1
        assert rows[name][4].startswith(f"{card.first} to {last}" if last > 0 else "nowhere")


@pytest.mark.parametrize("name", NETWORKS)
def test_no_card_holds_a_path(name):
    _, card = weights.read(weights.find(name))
    assert "/" not in json.dumps([card["recipe"], card.get("begun_with")])


def test_the_network_for_any_camera_does_not_see_where_the_person_is_nor_how_large():
    name = "mixste.person-81"
    network = lifter(name, weights.read(weights.find(name))[0]).eval()
    clips = open_data("synthetic").views("test").poses2d[None, :81, :, :2]
    shown = torch.from_numpy(clips)
    path = torch.linspace(-1, 1, 81)[:, None, None]
    with torch.inference_mode():
        poses, moved = network(shown).poses, network(0.4 * shown + path).poses
    assert torch.allclose(poses, moved, atol=1e-4)
    assert poses.std(dim=1).mean() > 0.01, "metres: somebody moves"


def test_the_readme_shows_the_two_commands_first():
    commands = [line.split("#")[0].strip() for line in README.splitlines() if line[:5] == "make "]
    assert commands[:2] == ["make sweep", "make test"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_readme_and_the_verbs_is_accepted(command):
    tokens = shlex.split(command.split("  #")[0])
    bound, _, _ = app.parse_args(tokens, exit_on_error=False, print_error=False)
    assert bound.__name__ in tokens[:2]  # a verb, or one of a group


def test_every_verb_stands_in_the_docs():
    verbs = {name for name in app if not name.startswith("-")}
    assert verbs == {command.split()[0] for command in COMMANDS}


def test_the_readme_is_short_and_its_finding_is_that_of_the_demo():
    assert len(README.split()) <= 700
    said = " ".join(README.split())
    name = re.search(r"finds, .*?`(.*?)`", said)[1]
    table = pandas.read_csv(ROOT / "reports/demo/demo.csv").set_index("combination")
    pruned, flops = table.loc[name], table["FLOPs, all counted (FLOP)"]
    assert f"takes {flops[name] / flops['mixste.tiny-81']:.0%}".replace("%", " %") in said
    for head, unit in (("speed-up", "1"), ("MPJPE minus the reference's", "mm")):
        value, low, high = (pruned[f"{head}{end} ({unit})"] for end in ("", ", low", ", high"))
        assert f"{value:.2f} [{low:.2f}, {high:.2f}]" in said


def test_links_of_the_docs_lead_somewhere():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            path, _, _ = link.partition("#")
            if path and "://" not in link:
                assert (page.parent / path).exists(), f"{page.name}: {link}"


def pruner_of_the_readme():
    _, block = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    scope = {"__name__": "readme"}
    exec(compile(block, "README.md", "exec"), scope)
    del PRUNERS.registered["first"]  # other tests may want the name
    return scope["First"]()


class TestThePrunerOfTheReadme(PrunerContract):
    pruner = pruner_of_the_readme()
