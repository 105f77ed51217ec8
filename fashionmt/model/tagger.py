"""The whole model: towers -> missing embeddings -> fusion -> heads. Trained and served by this one definition."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from fashionmt.batch import Batch, TaggerOutput
from fashionmt.config import ModelConfig
from fashionmt.model.fusion import build_fusion, check_fusion
from fashionmt.model.heads import Heads
from fashionmt.model.image_tower import ImageTower, check_image_tower
from fashionmt.model.modalities import MissingEmbeddings, Present, drop_modalities
from fashionmt.model.text_tower import TextTower, build_encoder, encoder_from_config
from fashionmt.model.wide_path import WidePath


class Tagger(nn.Module):
    """Pictures and titles to the logits of every attribute."""

    def __init__(
        self,
        config: ModelConfig,
        classes: Mapping[str, int],
        image: ImageTower | None,
        text: TextTower | None,
        ngrams: int = 0,
    ) -> None:
        """`classes`: attribute -> number of its learned classes. `ngrams`: how many the wide path knows.
        `build_tagger` makes the towers."""
        super().__init__()
        self.config = config
        self.image = image
        self.text = text
        sizes = {name: tower.size for name, tower in (("image", image), ("text", text)) if tower is not None}
        self.missing = MissingEmbeddings(sizes)
        self.fusion = build_fusion(sizes, config.fusion)
        self.heads = Heads(config.fusion.size, classes)
        self.wide = WidePath(config.wide, ngrams, classes) if config.wide is not None else None

    @property
    def modalities(self) -> tuple[str, ...]:
        """The inputs it reads: of `image` and `text`."""
        return tuple(self.fusion.sizes)

    def forward(self, batch: Batch) -> TaggerOutput:
        """A batch to its logits. While training, inputs are dropped at random (`config.drop_*`)."""
        present = self._present(batch)
        if self.training:
            present = drop_modalities(present, {"image": self.config.drop_image, "text": self.config.drop_title})
        embedding = self.fusion(self.missing(self._features(batch), present))
        logits = self.heads(embedding)
        if self.wide is not None:
            wide = self.wide(batch.ngram_ids, batch.ngram_weights * present["text"].unsqueeze(1))
            logits = {name: value + wide[name] for name, value in logits.items()}
        return TaggerOutput(logits, embedding)

    def _present(self, batch: Batch) -> Present:
        there = {"image": batch.has_image, "text": batch.has_title}
        return {name: there[name] for name in self.modalities}

    def _features(self, batch: Batch) -> dict[str, Tensor]:
        features = {}
        if self.image is not None:
            features["image"] = self.image(batch.pixels)
        if self.text is not None:
            features["text"] = self.text(batch.token_ids, batch.token_mask)
        return features

    def encoder_config(self) -> dict[str, Any] | None:
        """The text encoder's shape, for the bundle; None without a text tower."""
        if self.text is None:
            return None
        stored: dict[str, Any] = self.text.encoder.config.to_dict()
        return stored


def check_model(config: ModelConfig) -> None:
    """Raise `UserError` for names that no part of the model bears, before a catalogue is read for nothing."""
    check_fusion(config.fusion)
    if config.image is not None:
        check_image_tower(config.image)


def build_tagger(config: ModelConfig, classes: Mapping[str, int], vocabularies: tuple[int, int]) -> Tagger:
    """A tagger to train: towers of random or pretrained weights. `vocabularies`: ids of tokens and of n-grams."""
    tokens, ngrams = vocabularies
    image = ImageTower(config.image) if config.image is not None else None
    text = TextTower(build_encoder(config.text, tokens)) if config.text is not None else None
    return Tagger(config, classes, image, text, ngrams)


def rebuild_tagger(
    config: ModelConfig, classes: Mapping[str, int], encoder: dict[str, Any] | None, ngrams: int = 0
) -> Tagger:
    """The same shape again, weights to be loaded: nothing is downloaded. `encoder`: what `encoder_config` gave."""
    if (config.text is None) != (encoder is None):
        raise ValueError("a text encoder without a text tower, or a text tower without an encoder")
    image = ImageTower(config.image, load_weights=False) if config.image is not None else None
    text = TextTower(encoder_from_config(encoder)) if encoder is not None else None
    return Tagger(config, classes, image, text, ngrams)
