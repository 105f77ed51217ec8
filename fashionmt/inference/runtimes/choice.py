"""Which runtime computes the model."""

import importlib.util
from pathlib import Path
from typing import Protocol

import torch

from fashionmt.batch import Batch, TaggerOutput
from fashionmt.bundle import Bundle
from fashionmt.errors import UserError
from fashionmt.inference.runtimes.exported import read_exports
from fashionmt.inference.runtimes.torch_runtime import TorchRuntime

RUNTIMES = {"torch": "torch", "onnx": "onnxruntime", "openvino": "openvino"}
"""Name -> the package that it needs; the extra that brings it is called as the runtime."""


class Runtime(Protocol):
    """A model: a batch on the CPU to its answers. Several threads may ask it at once."""

    device: torch.device
    """Where it computes."""

    def __call__(self, batch: Batch) -> TaggerOutput:
        """float (B, C) an attribute and float (B, D)."""


def open_runtime(name: str, precision: str, folder: Path, bundle: Bundle) -> Runtime:
    """The runtime called so, on the bundle that was read from `folder`. Raises `UserError` where its package or the
    exported model is missing, or the model does not fit the bundle."""
    if name == "torch":
        return TorchRuntime(bundle.tagger, precision)
    require_runtime(name)
    exports = read_exports(folder)
    model = exports.model(precision)
    try:
        return load_model(name, model)
    except Exception as error:  # of two libraries, without a class in common
        wrong = f"{name} cannot run it ({str(error).strip()[:150]})"
        raise UserError(str(exports.file(precision)), wrong, "Export the bundle again, or use runtime=torch") from error


def require_runtime(name: str) -> None:
    """Raises `UserError` where its package is not installed."""
    if not has_runtime(name):
        wrong = f"its package {RUNTIMES[name]} is not installed"
        raise UserError(f"runtime={name}", wrong, f"Run pip install 'fashionmt[{name}]'")


def has_runtime(name: str) -> bool:
    """Whether its package is installed."""
    return importlib.util.find_spec(RUNTIMES[name]) is not None


def load_model(name: str, model: bytes) -> Runtime:
    """An exported model in `onnx` or `openvino`. Imported here: each is an extra, and takes a second to load."""
    if name == "onnx":
        from fashionmt.inference.runtimes.onnx_runtime import OnnxRuntime

        return OnnxRuntime(model)
    from fashionmt.inference.runtimes.openvino_runtime import OpenVinoRuntime

    return OpenVinoRuntime(model)
