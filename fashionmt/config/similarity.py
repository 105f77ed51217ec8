"""The head by which items are compared, learned when a training run ends."""

from dataclasses import dataclass

from fashionmt.config.checks import check_range


@dataclass
class SimilarityConfig:
    """A linear map of the tagger's embedding and answers, learned by graded contrast."""

    size: int = 128
    """Of the part of a vector that comes from the embedding; the answers' is one number a class."""
    sharpness: float = 8.0
    """The power of the share of the attributes `data.alike` in which two items agree: the higher, the less are they
    alike that do not agree in all."""
    temperature: float = 0.1
    """What cosines are divided by in the loss: the lower, the more only the nearest count."""
    epochs: int = 8
    batch_size: int = 256

    def __post_init__(self) -> None:
        check_range("similarity.size", self.size, 1, 1e5)
        check_range("similarity.sharpness", self.sharpness, 0, 1000)
        check_range("similarity.temperature", self.temperature, 0.001, 100)
        check_range("similarity.epochs", self.epochs, 1, 1e6)
        check_range("similarity.batch_size", self.batch_size, 2, 1e6)
