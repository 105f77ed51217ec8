"""Which arithmetic trains faster here: measured, because flags do not tell (bf16 without hardware for it crawls)."""

import time

import torch
from torch import nn


def choose_precision(precision: str, device: torch.device) -> str:
    """`precision` itself, or for `auto` the faster of bf16-mixed and 32-true on this device."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    if device.type != "cpu":
        return "32-true"
    return "bf16-mixed" if _step_seconds(bf16=True) < 0.9 * _step_seconds(bf16=False) else "32-true"


def _step_seconds(bf16: bool) -> float:
    """Median seconds of a forward and backward through a convolution like those of the image tower."""
    layer = nn.Conv2d(64, 64, 3, padding=1)
    picture = torch.ones(16, 64, 20, 15)
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            layer(picture).float().sum().backward()
        seconds.append(time.perf_counter() - start)
    return sorted(seconds[1:])[2]  # the first call sets up its kernels
