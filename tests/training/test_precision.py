"""A precision that was chosen is taken; `auto` takes bf16 only where it is clearly the faster."""

import pytest
import torch

from fashionmt.training import precision
from fashionmt.training.precision import choose_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize("chosen", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_a_chosen_precision_is_taken_unmeasured(monkeypatch: pytest.MonkeyPatch, device: str, chosen: str) -> None:
    monkeypatch.setattr(precision, "_step_seconds", lambda bf16: pytest.fail("measured"))
    assert choose_precision(chosen, torch.device(device)) == chosen


@pytest.mark.parametrize(
    ("bf16", "float32", "expected"),
    [(0.5, 1.0, "bf16-mixed"), (0.89, 1.0, "bf16-mixed"), (0.95, 1.0, "32-true"), (20.0, 1.0, "32-true")],
)
def test_auto_on_a_cpu_takes_what_was_measured_a_tenth_faster(
    monkeypatch: pytest.MonkeyPatch, bf16: float, float32: float, expected: str
) -> None:
    seconds = {True: bf16, False: float32}
    monkeypatch.setattr(precision, "_step_seconds", lambda bf16: seconds[bf16])
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


@pytest.mark.parametrize("bf16", [True, False])
def test_the_measurement_runs_in_the_precision_that_it_is_of(monkeypatch: pytest.MonkeyPatch, bf16: bool) -> None:
    seen: list[torch.dtype] = []

    class Convolution(torch.nn.Conv2d):
        def forward(self, picture: torch.Tensor) -> torch.Tensor:
            convolved = super().forward(picture)
            seen.append(convolved.dtype)
            return convolved

    monkeypatch.setattr(precision.nn, "Conv2d", Convolution)
    assert precision._step_seconds(bf16) > 0
    assert set(seen) == {torch.bfloat16 if bf16 else torch.float32}
