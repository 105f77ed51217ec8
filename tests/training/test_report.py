"""What is told of the data before training."""

from types import SimpleNamespace

import numpy as np
import pytest

from fashionmt.data.findings import Findings
from fashionmt.data.splits import Split
from fashionmt.training.report import print_data


@pytest.mark.parametrize(("since", "told"), [(None, "2 test\n"), ("2019-12", "2 test (from 2019-12 on)\n")])
def test_the_parts_are_told_and_from_when_on_the_test_is(
    since: str | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    split = Split(np.arange(4), np.array([4]), np.array([5, 6]), since)
    print_data(SimpleNamespace(ids=["i"] * 7, split=split, findings=Findings()))  # type: ignore[arg-type]
    assert capsys.readouterr().err == f"7 items: 4 train, 1 validation, {told}"
