"""What `task=export` reads."""

from dataclasses import dataclass, field

from fashionmt.config.checks import check_choice, check_range

EXPORTED = ("32-true", "int8")


@dataclass
class ExportConfig:
    """A bundle's model as ONNX files, which ONNX Runtime and OpenVINO compute."""

    precisions: list[str] = field(default_factory=lambda: list(EXPORTED))
    """32-true, and int8: convolutions in whole numbers, their ranges taken from `calibration_items`."""
    check_items: int = 4000
    """Items of the catalogue, at most, whose tags must be the same; for int8 their accuracy is compared."""
    calibration_items: int = 512

    def __post_init__(self) -> None:
        for precision in self.precisions:
            check_choice("export.precisions", precision, EXPORTED)
        check_range("export.check_items", self.check_items, 1, 1e6)
        check_range("export.calibration_items", self.calibration_items, 1, 1e6)
