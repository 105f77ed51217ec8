"""What nobody foresaw ends in one line that can be read."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from fashionmt.config import TrainConfig
from fashionmt.failures import one_line_errors
from tests.conftest import TOP


def test_an_unforeseen_error_is_one_line_of_a_readable_length(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left, one_line_errors():
        raise RuntimeError("a compiler's\nmessage " * 10_000)
    said = capsys.readouterr().err
    assert left.value.code == 1
    assert said.startswith("fashionmt: RuntimeError: a compiler's message a compiler's")
    assert said.endswith("FASHIONMT_DEBUG=1 for the traceback.\n")
    assert len(said) < 700
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "error",
    [MemoryError("a table"), RuntimeError("[enforce fail] can't allocate memory: you tried to allocate 9 bytes")],
)
def test_too_little_memory_is_no_fault_of_ours(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left, one_line_errors():
        raise error
    assert left.value.code == 5
    assert capsys.readouterr().err.startswith("fashionmt: out of memory (")


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["model.wide.blend=true"], "model.wide.blend: model.wide is null. Add model/wide=ngrams, or take model="),
        (["model.clip.source=a"], "model.clip.source: model.clip is null. Take model=clip."),
        (["model=text_only", "model.image.name=vgg16"], "model.image.name: model.image is null. Take a model with a"),
        (["model=image_only", "model.text.dropout=0.1"], "model.text.dropout: model.text is null. Take a model with"),
        (["recommend.loss=bpr"], "recommend.loss: recommend is null. Take experiment=recommend."),
        (["recommend.no.such=1"], "recommend.no.such: recommend is null. Take experiment=recommend."),
        (["contrast.size=3"], "contrast.size: contrast is null. Take experiment=pretrain_clip."),
        (["similarity=null", "similarity.size=3"], "similarity.size: similarity is null. Leave out similarity=null."),
        (["model/wide=null"], "model/wide=null: a group is not set to null. Write model.wide=null, with a dot."),
        (["logger=null"], "logger=null: a group is not set to null. Write ~logger."),
        (["experiment=null"], "experiment=null: a group is not set to null. Leave it out."),
        (["model/fusion=null"], "model/fusion=null: a group is not set to null. Choose one of model/fusion: see"),
        (["model=3"], "model=3: no choice's name. See --help for those of model."),
    ],
)
def test_what_hydra_takes_for_a_fault_of_its_own_is_the_users_to_repair(
    overrides: list[str], told: str, compose: Callable[..., TrainConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left, one_line_errors():
        compose(*overrides)
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"fashionmt: {told}")
    assert said.count("\n") == 1


def test_what_such_a_line_recommends_can_be_done(compose: Callable[..., TrainConfig]) -> None:
    assert compose("model=wide_and_deep", "model.wide=null").model.wide is None
    assert compose("~logger").logger == {}
    assert compose("model/wide=ngrams", "model.wide.blend=true").model.wide is not None


def test_another_broken_assertion_is_our_fault(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left, one_line_errors():
        raise AssertionError("key")
    assert left.value.code == 1
    assert "This is our fault" in capsys.readouterr().err


FOR_NOBODY = {
    "print_results({'attributes': {}, 'exact_match': 0.5, 'items': 4})": (141, b""),
    "print_table({'k': 12, 'users': 3, 'systems': [], 'synthetic': False}, Path('ranker'))": (141, b""),
    "sys.stdout.write('bundle: b')": (141, b""),
    "sys.stdout.write('a table'); leave(ExitCode.USER_ERROR, '1 job has failed')": (
        2,
        b"fashionmt: 1 job has failed\n",
    ),
}


@pytest.mark.parametrize("told", FOR_NOBODY)
def test_whatever_is_told_to_nobody_ends_with_the_documented_code(told: str) -> None:
    imports = [
        "import sys",
        "from pathlib import Path",
        "from fashionmt.errors import ExitCode",
        "from fashionmt.failures import leave, one_line_errors",
        "from fashionmt.recommend.report import print_table",
        "from fashionmt.training.report import print_results",
    ]
    script = "\n".join([*imports, "with one_line_errors():", f"    {told}"])
    command = [sys.executable, "-c", script]
    assert without_a_reader(command) == FOR_NOBODY[told]


def test_who_reads_the_beginning_alone_is_told_no_error() -> None:
    """As `head -1` does."""
    assert without_a_reader([sys.executable, str(TOP / "train.py"), "--help"], unbuffered="1") == (141, b"")


def without_a_reader(command: list[str], unbuffered: str = "") -> tuple[int, bytes]:
    """The exit code of a command whose stdout nobody reads, and its stderr."""
    pipe, environment = subprocess.PIPE, os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, cwd=TOP, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()
    return process.returncode, told
