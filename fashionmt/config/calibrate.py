"""What `task=calibrate` reads."""

from dataclasses import dataclass, field

from fashionmt.config.checks import check_range


@dataclass
class CalibrateConfig:
    """A bundle's confidences and thresholds, fitted anew to a labelled catalogue."""

    target_accuracy: dict[str, float] = field(default_factory=dict)
    """Attribute -> the accuracy its accepted answers are to have; the others keep the one they have."""
    item_target_accuracy: float | None = None
    """Of the items that are accepted as a whole; null: the one it has."""
    delta: float = 0.05
    """How probable it may be that a threshold misses its target."""
    unknown_share: float | None = 0.01
    """Of items like these, the share that may be called unknown by mistake; null: the limits stay as they are. A bundle
    that calls nothing unknown goes on so."""
    folds: int = 5
    """What it is worth is measured on one in so many of the families in turn, fitted to the others."""

    def __post_init__(self) -> None:
        for name, target in self.target_accuracy.items():
            check_range(f"calibrate.target_accuracy.{name}", target, 0.5, 0.9999)
        if self.item_target_accuracy is not None:
            check_range("calibrate.item_target_accuracy", self.item_target_accuracy, 0.5, 0.9999)
        check_range("calibrate.delta", self.delta, 0.0001, 0.5)
        if self.unknown_share is not None:
            check_range("calibrate.unknown_share", self.unknown_share, 0.0001, 0.5)
        check_range("calibrate.folds", self.folds, 2, 100)
