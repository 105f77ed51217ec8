"""The tagger itself, on the CPU or a GPU."""

from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch

from fashionmt.batch import Batch, TaggerOutput

if TYPE_CHECKING:
    from fashionmt.model import Tagger


class TorchRuntime:
    """A tagger in evaluation mode."""

    def __init__(self, tagger: "Tagger", precision: str = "32-true") -> None:
        """`precision`: `32-true`, or `bf16-mixed` for speed where confidences may move in the third digit."""
        self.bf16 = precision == "bf16-mixed"
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.tagger = tagger.to(self.device).eval()

    @torch.inference_mode()
    def __call__(self, batch: Batch) -> TaggerOutput:
        """Of a batch on the CPU; the answer lies where it was computed."""
        with torch.autocast(self.device.type, torch.bfloat16) if self.bf16 else nullcontext():
            output: TaggerOutput = self.tagger(batch.to(self.device))
        return output
