"""A precision that was chosen is taken; `auto` takes bf16 only where it is clearly the faster."""

import pytest
import torch

from fashionmt.training import precision
from fashionmt.training.precision import choose_precision, step_seconds

CPU = torch.device("cpu")


@pytest.mark.parametrize("chosen", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_a_chosen_precision_is_taken_unmeasured(monkeypatch: pytest.MonkeyPatch, device: str, chosen: str) -> None:
    monkeypatch.setattr(precision, "step_seconds", lambda turns: pytest.fail("measured"))
    assert choose_precision(chosen, torch.device(device)) == chosen


@pytest.mark.parametrize(
    ("bf16", "float32", "expected"),
    [(0.5, 1.0, "bf16-mixed"), (0.89, 1.0, "bf16-mixed"), (0.95, 1.0, "32-true"), (20.0, 1.0, "32-true")],
)
def test_auto_on_a_cpu_takes_what_was_measured_a_tenth_faster(
    monkeypatch: pytest.MonkeyPatch, bf16: float, float32: float, expected: str
) -> None:
    seconds = {"bf16-mixed": bf16, "32-true": float32}
    monkeypatch.setattr(precision, "step_seconds", lambda turns: seconds)
    assert choose_precision("auto", CPU) == expected


@pytest.mark.parametrize(("supported", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_auto_on_cuda_asks_for_bf16_that_is_not_emulated(
    monkeypatch: pytest.MonkeyPatch, supported: bool, expected: str
) -> None:
    def is_bf16_supported(including_emulation: bool) -> bool:
        return including_emulation or supported

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_bf16_supported)
    assert choose_precision("auto", torch.device("cuda")) == expected


def test_auto_on_another_accelerator_is_float32() -> None:
    assert choose_precision("auto", torch.device("mps")) == "32-true"


def test_each_is_measured_in_its_own_precision_and_other_work_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock of our own: a turn takes 1 s in float32 and 0.5 s in bfloat16, up to ten times that disturbed."""
    disturbance = [10.0, 1.0, 1.0, 7.0, 3.0, 1.0]
    now, turn = 0.0, 0

    class Convolution(torch.nn.Conv2d):
        def forward(self, picture: torch.Tensor) -> torch.Tensor:
            nonlocal now, turn
            convolved = super().forward(picture)
            now += disturbance[turn] * {torch.bfloat16: 0.5, torch.float32: 1.0}[convolved.dtype]
            turn += 1
            return convolved

    monkeypatch.setattr(precision.nn, "Conv2d", Convolution)
    monkeypatch.setattr(precision.time, "perf_counter", lambda: now)
    assert step_seconds(3) == {"bf16-mixed": 0.5, "32-true": 1.0}
