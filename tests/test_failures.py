"""What nobody foresaw ends in one line that can be read."""

import pytest

from fashionmt.failures import one_line_errors


def test_an_unforeseen_error_is_one_line_of_a_readable_length(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left, one_line_errors():
        raise RuntimeError("a compiler's\nmessage " * 10_000)
    said = capsys.readouterr().err
    assert left.value.code == 1
    assert said.startswith("fashionmt: RuntimeError: a compiler's message a compiler's")
    assert said.endswith("FASHIONMT_DEBUG=1 for the traceback.\n")
    assert len(said) < 700
    assert said.count("\n") == 1
