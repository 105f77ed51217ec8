"""A float32 ONNX model in int8: ONNX Runtime's static quantisation, its ranges from batches of the catalogue.

Convolutions alone are in whole numbers (weights by channel, activations by tensor; Jacob et al. 2018,
arXiv:1712.05877). With the sums and maxima between them 99.35 % of the seasons of 1,536 items stayed the same, without
all did. The text tower and the heads cost little, and stay in float32.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

OPERATIONS = ["Conv"]
Feeds = dict[str, npt.NDArray[Any]]


class _Batches(CalibrationDataReader):  # type: ignore[misc]  # without types
    def __init__(self, batches: Sequence[Feeds]) -> None:
        self.left: Iterator[Feeds] = iter(batches)

    def get_next(self) -> Feeds | None:
        """As its base asks: None at the end."""
        return next(self.left, None)


def write_int8(model: Path, batches: Sequence[Feeds], path: Path) -> None:
    """Write `model` in int8 to `path`. `batches`: arrays by the names of its inputs."""
    prepared = path.with_suffix(".prepared.onnx")
    quant_pre_process(model, prepared, skip_symbolic_shape=True)
    quantize_static(
        prepared,
        path,
        _Batches(batches),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=OPERATIONS,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    prepared.unlink()
