"""What a bundle holds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fashionmt.attributes import LabelSpace
from fashionmt.config import ModelConfig, PreprocessConfig
from fashionmt.data.catalogue import ColumnMap
from fashionmt.data.tabular import TabularEncoder
from fashionmt.data.titles import TitleEncoder
from fashionmt.decoding import Decoder, Decoders
from fashionmt.novelty import Novelty
from fashionmt.similarity import SimilarityHead

if TYPE_CHECKING:
    from fashionmt.model.tagger import Tagger


@dataclass(frozen=True)
class Bundle:
    """A tagger with all that belongs to it."""

    config: ModelConfig
    """What the tagger was built from."""
    build: Callable[[], "Tagger"]
    """Gives the tagger, always the same one; a bundle that was read for another runtime builds it when first asked."""
    titles: TitleEncoder
    spaces: dict[str, LabelSpace]
    preprocess: PreprocessConfig
    columns: ColumnMap
    metrics: dict[str, Any]
    """Test results, as in `metrics.json`."""
    provenance: dict[str, Any]
    """What it was trained on, when, and with which versions."""
    decoder: Decoder = field(default_factory=Decoder)
    """What turns the tagger's logits into answers, for items that show all that it reads."""
    alone: dict[str, Decoder] = field(default_factory=dict)
    """By view (`fashionmt.shown`), the same for items that show one input of two, with the same shifts and taxonomy.
    Empty: `decoder` is theirs too."""
    tabular: TabularEncoder = field(default_factory=lambda: TabularEncoder({}))
    """How the catalogue's other columns are read."""
    novelty: Novelty | None = None
    """What tells an item like none in training; None: nothing does."""
    train_counts: dict[str, list[int]] = field(default_factory=dict)
    """Attribute -> training items of each of its C classes; empty: not known."""
    similarity: SimilarityHead | None = None
    """What items are compared by; None: the fused embedding itself."""

    @property
    def tagger(self) -> "Tagger":
        """The model itself, in plain torch."""
        return self.build()

    @property
    def modalities(self) -> tuple[str, ...]:
        """The inputs it reads: of `image`, `text` and `tabular`."""
        return (*self.config.modalities, *(("tabular",) if self.tabular.columns else ()))

    @property
    def decoders(self) -> Decoders:
        """What turns the tagger's logits into answers, whatever the items show."""
        return Decoders(self.decoder, self.alone)
