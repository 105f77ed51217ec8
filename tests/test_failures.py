"""What nobody foresaw ends in one line that can be read."""

import subprocess
import sys

import pytest

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


def test_who_reads_the_beginning_alone_is_told_no_error() -> None:
    """As `head -1` does."""
    command = [sys.executable, str(TOP / "train.py"), "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=TOP) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
