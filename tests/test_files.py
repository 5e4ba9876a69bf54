"""Files from outside: regular, bounded, UTF-8, not too deep; each refusal names the file."""

import os
import subprocess
import sys

import pytest
import small
import torch
from safetensors.torch import save_file

from htpbench.bench.claims import Claims, alive, myself
from htpbench.checking.recognise import recognised
from htpbench.datasets import open_data
from htpbench.errors import BenchError
from htpbench.learning import recipes
from htpbench.network.weights import find, read
from htpbench.outside import files
from htpbench.study import loading

NO_FILES = ["fifo", "zero", "folder", "loop", "gone", "a" * 300, "nul\0", "huge"]


def no_file(folder, name, ending):
    """A path at which there is no file that can be read, of a kind that `name` says."""
    path = folder / f"{name}{ending}"
    match name:
        case "fifo":
            os.mkfifo(path)
        case "zero":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
        case "huge":
            path.touch()
            os.truncate(path, 2**36)
    return path


@pytest.mark.parametrize("name", NO_FILES)
@pytest.mark.parametrize(
    ("ending", "load"),
    [
        (".toml", lambda path: loading.load(str(path))),
        (".toml", recipes.read),
        (".json", files.load_json),
        (".safetensors", lambda path: read(find(str(path)))),
        (".bvh", lambda path: open_data(f"bvh:{path}")),
        (".npz", lambda path: open_data(str(path))),
    ],
)
def test_what_is_no_file_is_refused_at_once(tmp_path, name, ending, load):
    path = no_file(tmp_path, name, ending)
    with pytest.raises(BenchError) as refused:
        load(path)
    assert path.name in str(refused.value)


def test_an_archive_that_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.npz")
    with pytest.raises(BenchError, match="expected a regular file"):
        recognised(str(tmp_path / "a.npz"))


@pytest.mark.parametrize("name", ["fifo", "zero", "folder", "gone", "huge"])
def test_a_card_that_is_no_file_is_refused_at_once(tmp_path, name):
    save_file({"backbone.x": torch.zeros(1)}, tmp_path / f"{name}.safetensors")
    no_file(tmp_path, name, ".json")
    with pytest.raises(BenchError, match=f"{name}.json: the weights' card cannot be read"):
        read(tmp_path / f"{name}.safetensors")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_byte_order_mark_and_line_ends_of_windows_are_read(tmp_path, mark, end):
    (tmp_path / "a.toml").write_bytes(mark + 'title = "Größe"'.encode() + end)
    (tmp_path / "a.json").write_bytes(mark + '{"title": "Größe"}'.encode() + end)
    assert files.load_toml(tmp_path / "a.toml") == {"title": "Größe"}
    assert files.load_json(tmp_path / "a.json") == {"title": "Größe"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe{\0}\0", "UTF-8 text"),
        (b"[" * 9000 + b"]" * 9000, "nested (too deep|deeper than 32 levels)"),
        (b"[" * 33 + b"1" + b"]" * 33, "nested deeper than 32 levels"),
        (b"9" * 5000, "the limit .4300 digits."),
        (b'"\\ud800"', "half of a surrogate pair"),
        (b'{"\\udfff": 1}', "half of a surrogate pair"),
        (b"{", "Expecting"),
    ],
)
def test_json_that_is_none_or_too_deep(tmp_path, content, words):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(BenchError, match=rf"a.json is not .*{words}"):
        files.load_json(tmp_path / "a.json")


def test_json_as_deep_as_it_may_be():
    found = 1
    for _ in range(files.DEEPEST):
        found = [found]
    assert files.parse_json("[" * files.DEEPEST + "1" + "]" * files.DEEPEST) == found
    assert files.parse_json('"\\ud83d\\ude00"') == "\N{GRINNING FACE}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        # How deep Python may go is another matter once a compiler of networks was imported.
        ("a = " + "[" * 600 + "]" * 600, "nested (too deep|deeper than 32 levels)"),
        ("a = " + "[" * 40 + "]" * 40, "nested deeper than 32 levels"),
        ("a = " + "9" * 5000, "the limit .4300 digits."),
        ("a." * 300_000 + "a = 1", "a key of more than 32 parts"),
        ('"a" . ' * 100_000 + "a = 1", "a key of more than 32 parts"),
        ("a =", "Invalid value"),
    ],
    ids=["deep", "less deep", "digits", "dots", "quoted dots", "nothing"],
)
def test_toml_that_is_none_or_takes_for_ever(tmp_path, content, words):
    (tmp_path / "a.toml").write_text(content, encoding="utf-8")
    with pytest.raises(BenchError, match=rf"a.toml is not valid TOML: .*{words}"):
        files.load_toml(tmp_path / "a.toml")


@pytest.mark.slow
def test_titles_are_utf8_in_every_locale(tmp_path):
    path = small.study(tmp_path)
    text = path.read_text(encoding="utf-8").replace('title = "small"', 'title = "Übergröße"')
    path.write_text(text, encoding="utf-8")
    plain = {
        **os.environ,
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }

    def call(*arguments):
        command = [sys.executable, "-m", "htpbench", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=plain, capture_output=True, timeout=300)

    done = call("cost", "--study", "small.toml")
    assert done.returncode == 0, done.stderr
    done = call("report", "small.toml")
    assert done.returncode == 0, done.stderr
    assert "Übergröße" in (tmp_path / "reports/local/small/small.html").read_text(encoding="utf-8")
    path.write_text(text.replace("title =", 'name = "Größe"\ntitle ='), encoding="utf-8")
    done = call("report", "small.toml")
    assert done.returncode == 2 and b"PYTHONUTF8=1" in done.stderr
    done = call("plan", "ümixste-9")
    assert done.returncode == 2 and b"unknown backbone" in done.stderr


@pytest.mark.parametrize(
    "owner",
    [
        {},
        [],
        {"host": None},
        {**myself(), "process": "1/../self"},
        {**myself(), "born": 5},
        {**myself(), "host": []},
    ],
)
def test_what_does_not_say_whose_it_is_is_nobodys(owner):
    assert not alive(owner, 0)


def test_a_claim_that_is_no_file_is_free(tmp_path):
    claims = Claims(tmp_path / "claims")
    claims.folder.mkdir()
    for name in ("fifo", "zero", "loop"):
        no_file(claims.folder, name, "")
        assert claims.take(name) == 1
        assert (claims.folder / name).is_file() and claims.take(name) is None
    (claims.folder / "odd").write_text('{"host": "elsewhere", "deaths": "many"}')
    assert claims.take("odd") == 1
