"""What computes a bundle's model: torch, or ONNX Runtime or OpenVINO on what `task=export` made of it."""

from fashionmt.inference.runtimes.choice import Runtime, has_runtime, load_model, open_runtime, require_runtime
from fashionmt.inference.runtimes.exported import ExportedModels, read_exports
from fashionmt.inference.runtimes.torch_runtime import TorchRuntime

__all__ = [
    "ExportedModels",
    "Runtime",
    "TorchRuntime",
    "has_runtime",
    "load_model",
    "open_runtime",
    "read_exports",
    "require_runtime",
]
