"""What a run hands to its report; a report that fails costs nothing but itself."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from fashionmt.bundle import Bundle
from fashionmt.decoding import Decoder, Decoders
from fashionmt.training import report_content as module
from fashionmt.training.answers import Answers
from fashionmt.training.report_content import decode, show_results
from fashionmt.training.run_folder import RunFolder


def test_a_failing_report_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("no\nfont")

    monkeypatch.setattr(module, "report_content", fail)
    show_results(RunFolder(tmp_path), *cast(Any, [None] * 4), seconds=1.0)
    told = capsys.readouterr().err
    assert told == f"fashionmt: {tmp_path}/report.html could not be written (ValueError: no font)\n"


def test_probabilities_are_calibrated_and_keep_their_labels() -> None:
    logits = {name: torch.randn(9, 4) for name in ("colour", "season")}
    labels = {name: torch.randint(-1, 4, (9,)) for name in logits}
    bundle = cast(Bundle, SimpleNamespace(decoders=Decoders(Decoder({"colour": 2.0}))))
    heads = decode(Answers(logits, labels, torch.zeros(9, 3), ["image"] * 9), bundle)
    for name, temperature in (("colour", 2.0), ("season", 1.0)):
        expected = np.exp(logits[name].double().numpy() / temperature)
        expected /= expected.sum(1, keepdims=True)
        np.testing.assert_allclose(heads[name].probabilities, expected)
        assert heads[name].labels.tolist() == labels[name].tolist()
        assert heads[name].answers.tolist() == expected.argmax(1).tolist()
