"""Which arithmetic trains faster here: measured, because flags do not tell (bf16 without hardware for it crawls)."""

import math
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
    seconds = step_seconds(12)
    return "bf16-mixed" if seconds["bf16-mixed"] < 0.9 * seconds["32-true"] else "32-true"


def step_seconds(turns: int) -> dict[str, float]:
    """The least seconds that a forward and backward through a convolution like those of the image tower took, by
    precision, in turns.

    The least and not the median: other work on the machine only ever adds, and a whole run at half the speed hangs on
    this. The first turn, which sets up the kernels, is by itself no least.
    """
    layer, picture = nn.Conv2d(64, 64, 3, padding=1), torch.ones(16, 64, 20, 15)
    least = {"bf16-mixed": math.inf, "32-true": math.inf}
    for _ in range(turns):
        for precision in least:
            start = time.perf_counter()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16-mixed"):
                layer(picture).float().sum().backward()
            least[precision] = min(least[precision], time.perf_counter() - start)
    return least
