"""ONNX Runtime on an exported model. The only place for onnxruntime in tagging."""

from typing import Any

import onnxruntime
import torch

from fashionmt.batch import Batch, TaggerOutput
from fashionmt.inference.runtimes.tensors import feeds_of, output_of


class OnnxRuntime:
    """A session that several threads may ask at once, each of which computes on its own core."""

    device = torch.device("cpu")

    def __init__(self, model: bytes) -> None:
        """Raises what onnxruntime raises for a model that it cannot run."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # the engine's threads are the parallelism
        options.log_severity_level = 3
        self.session: Any = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.inputs = [each.name for each in self.session.get_inputs()]
        self.outputs = [each.name for each in self.session.get_outputs()]

    def __call__(self, batch: Batch) -> TaggerOutput:
        """Of a batch on the CPU."""
        return output_of(dict(zip(self.outputs, self.session.run(None, feeds_of(batch, self.inputs)), strict=True)))
