"""OpenVINO on an exported model, which it reads as it is. The only place for openvino."""

import threading
from typing import Any

import openvino
import torch

from fashionmt.batch import Batch, TaggerOutput
from fashionmt.inference.runtimes.tensors import feeds_of, output_of


class OpenVinoRuntime:
    """A compiled model that several threads may ask at once; each has a request of its own, on a core of its own."""

    device = torch.device("cpu")

    def __init__(self, model: bytes) -> None:
        """Raises what openvino raises for a model that it cannot run."""
        core: Any = openvino.Core()
        threads = torch.get_num_threads()
        settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        self.compiled: Any = core.compile_model(core.read_model(model, b""), "CPU", settings)
        self.inputs = [each.get_any_name() for each in self.compiled.inputs]
        self.outputs = [each.get_any_name() for each in self.compiled.outputs]
        self._of_thread = threading.local()

    def __call__(self, batch: Batch) -> TaggerOutput:
        """Of a batch on the CPU."""
        if not hasattr(self._of_thread, "request"):
            self._of_thread.request = self.compiled.create_infer_request()
        answers = self._of_thread.request.infer(feeds_of(batch, self.inputs))
        return output_of({name: answers[i].copy() for i, name in enumerate(self.outputs)})
