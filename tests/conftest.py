import pytest
import small
import torch
from checkpoints import TINY, Golden

torch.set_num_threads(1)


@pytest.fixture
def golden(request, monkeypatch):
    return Golden(getattr(request, "param", TINY), monkeypatch)


@pytest.fixture
def conversion(monkeypatch, capsys, tmp_path):
    """`weights convert best.pth` in an empty folder: (exit code, what it said on one line)."""
    monkeypatch.chdir(tmp_path)

    def run(text, *options, source="best.pth"):
        code = small.call(monkeypatch, "weights", "convert", source, "--as", text, *options)
        out, err = capsys.readouterr()
        assert "Traceback" not in err and bool(out) != bool(err)
        return code, " ".join((out + err).split())

    return run
