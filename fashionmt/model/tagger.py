"""The whole model: towers -> missing embeddings -> fusion -> heads. Trained and served by this one definition."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from fashionmt.batch import Batch, TaggerOutput
from fashionmt.config import ModelConfig
from fashionmt.errors import UserError
from fashionmt.model.clip_towers import ClipTower, build_clip_towers, check_clip, rebuild_clip_towers
from fashionmt.model.frozen import FrozenPart
from fashionmt.model.fusion import build_fusion, check_fusion
from fashionmt.model.image_tower import ImageTower, check_image_tower
from fashionmt.model.modalities import MissingEmbeddings, Present, drop_modalities, drop_tabular, views
from fashionmt.model.silent_titles import SilentTitles
from fashionmt.model.tabular_tower import NO_COLUMNS, TabularSizes, TabularTower
from fashionmt.model.text_tower import TextTower, build_text_tower, rebuild_text_tower
from fashionmt.model.wide_path import WidePath


class Tagger(nn.Module):
    """Pictures, titles and what else the catalogue holds to the logits of every attribute."""

    def __init__(
        self,
        config: ModelConfig,
        classes: Mapping[str, int],
        image: ImageTower | ClipTower | None,
        text: TextTower | ClipTower | None,
        ngrams: int = 0,
        tabular: TabularSizes = NO_COLUMNS,
    ) -> None:
        """`classes`: attribute -> number of its learned classes. `ngrams`: how many ids of them there are. `tabular`:
        sizes of the other columns. `build_tagger` makes the other towers."""
        super().__init__()
        self.config = config
        self.image = image
        self.text = text
        self.tabular = TabularTower(*tabular) if tabular != NO_COLUMNS else None
        towers = {"image": image, "text": text, "tabular": self.tabular}
        sizes = {name: tower.size for name, tower in towers.items() if tower is not None}
        self.missing = MissingEmbeddings(sizes)
        self.fusion = build_fusion(sizes, config.fusion)
        self.heads = self.fusion.build_heads(classes)
        self.wide = WidePath(config.wide, ngrams, classes, tabular) if config.wide is not None else None
        told = config.wide is not None and config.wide.silent_titles and image is not None and text is not None
        self.silent_titles = SilentTitles(ngrams, classes) if told else None

    @property
    def modalities(self) -> tuple[str, ...]:
        """The inputs it reads: of `image`, `text` and `tabular`."""
        return tuple(self.fusion.sizes)

    def forward(self, batch: Batch) -> TaggerOutput:
        """A batch to its logits. While training, inputs are dropped at random (`config.drop_*`)."""
        features, present = self.features(batch), self._present(batch)
        if self.training:
            return self._answer(batch, features, self._dropped(present))
        needed = views(present)[:1] if self.silent_titles is None else views(present)[:2]
        return self._answers(batch, features, needed)[0]

    def training_outputs(self, batch: Batch) -> list[tuple[float, TaggerOutput]]:
        """What a training step learns from: (its share of the loss, answers); the shares sum to 1.

        With `config.views=all` each item answers by all its inputs and by each of them alone; with struck titles in the
        batch, also by all its inputs and that title. The towers run once, but for that title: what they cost, one more
        view does not.
        """
        features, present = self.features(batch), self._dropped(self._present(batch))
        shown = views(present) if self.config.views == "all" else [present]
        outputs = [self._answer(batch, features, one) for one in shown]
        weights = [1.0] + [self.config.view_weight] * (len(shown) - 1)
        if batch.struck is not None and self.text is not None:
            struck = batch.with_struck_titles()
            there = present | {"text": present["text"] & struck.has_title}
            # The wide path would learn products by heart: their names are what is left of the title.
            read = features | {"text": _read_titles(self.text, struck)}
            outputs.append(self._answer(struck, read, there, teach_wide=False))
            weights.append(self.config.struck_weight)
        return [(weight / sum(weights), output) for weight, output in zip(weights, outputs, strict=True)]

    def features(self, batch: Batch) -> dict[str, Tensor]:
        """What each tower makes of a batch: modality -> float (B, its size), of any value where it is not there."""
        features = {}
        if self.image is not None:
            features["image"] = self.image(batch.pixels, batch.frozen.get("image"))
        if self.text is not None:
            features["text"] = _read_titles(self.text, batch)
        if self.tabular is not None:
            features["tabular"] = self.tabular(batch)
        return features

    def frozen_parts(self) -> dict[str, FrozenPart]:
        """Of `image` and `text`, those whose tower is frozen -> what of it is."""
        towers = {"image": self.image, "text": self.text if isinstance(self.text, ClipTower) else None}
        parts = {name: tower.frozen_part() for name, tower in towers.items() if tower is not None}
        return {name: part for name, part in parts.items() if part is not None}

    def outputs_by_view(self, batch: Batch, features: dict[str, Tensor]) -> list[TaggerOutput]:
        """Answers by all inputs of each item and, of a tagger of pictures and titles, by the picture alone and by the
        title alone; an item that has but one of these shows it in every view. `features`: of that batch."""
        return self._answers(batch, features, views(self._present(batch)))

    def _answers(self, batch: Batch, features: dict[str, Tensor], shown: list[Present]) -> list[TaggerOutput]:
        """By each view of `shown`, the whole item's first; where silent titles are told, the picture's next."""
        whole, *alone = (self._answer(batch, features, present) for present in shown)
        if self.silent_titles is None or self.wide is None:
            return [whole, *alone]
        silent = self.silent_titles.silent(batch.ngram_ids, batch.has_image & batch.has_title)
        wide = _read_wide(self.wide, batch, shown[0])
        logits = self.silent_titles(whole.logits, wide, alone[0].logits, silent)
        return [TaggerOutput(logits, whole.embedding), *alone]

    def _dropped(self, present: Present) -> Present:
        """What a training step hides at random."""
        present = drop_tabular(present, self.config.drop_tabular)
        if self.config.views == "all":
            return present
        return drop_modalities(present, {"image": self.config.drop_image, "text": self.config.drop_title})

    def _answer(
        self, batch: Batch, features: dict[str, Tensor], present: Present, teach_wide: bool = True
    ) -> TaggerOutput:
        """The logits of items that are read as `present` says. `teach_wide` False: the wide path learns nothing of
        them."""
        fused = self.fusion(self.missing(features, present), present)
        logits = self.heads(fused)
        if self.wide is not None:
            wide = _read_wide(self.wide, batch, present)
            added = wide if teach_wide else {name: value.detach() for name, value in wide.items()}
            logits = {name: self.wide.beside(name, value) + added[name] for name, value in logits.items()}
        return TaggerOutput(logits, fused.embedding)

    def _present(self, batch: Batch) -> Present:
        there = {"image": batch.has_image, "text": batch.has_title, "tabular": batch.has_tabular}
        return {name: there[name] for name in self.modalities}

    def encoder_config(self) -> dict[str, Any] | None:
        """The text tower's shape, for the bundle, of CLIP both towers' (`image`, `text`); None without one."""
        if isinstance(self.image, ClipTower) and isinstance(self.text, ClipTower):
            return {"image": self.image.shape(), "text": self.text.shape()}
        return self.text.shape() if self.text is not None else None


def _read_titles(tower: TextTower | ClipTower, batch: Batch) -> Tensor:
    features: Tensor = tower(batch, batch.frozen.get("text")) if isinstance(tower, ClipTower) else tower(batch)
    return features


def _read_wide(path: WidePath, batch: Batch, present: Present) -> dict[str, Tensor]:
    """What the wide path says of items that are read as `present` says."""
    numbers, categories = batch.numbers, batch.categories
    if path.columns is not None:
        there = present["tabular"].unsqueeze(1)
        numbers, categories = numbers * there, categories * there
    logits: dict[str, Tensor] = path(
        batch.ngram_ids, batch.ngram_weights * present["text"].unsqueeze(1), numbers, categories
    )
    return logits


def check_model(config: ModelConfig) -> None:
    """Raise `UserError` for names that no part of the model bears and for parts that do not agree, before a catalogue
    is read for nothing."""
    check_fusion(config.fusion)
    if config.image is not None:
        check_image_tower(config.image)
    if config.clip is not None:
        check_clip(config.clip)
    text, wide = config.text, config.wide
    if text is not None and text.reads_ngrams and wide is not None and text.min_count != wide.min_count:
        wrong = f"not that of model.wide ({wide.min_count}), and both read the same n-grams"
        raise UserError(f"model.text.min_count={text.min_count}", wrong, "Set both the same")


def build_tagger(
    config: ModelConfig, classes: Mapping[str, int], vocabularies: tuple[int, int], tabular: TabularSizes = NO_COLUMNS
) -> Tagger:
    """A tagger to train: towers of random or pretrained weights. `vocabularies`: ids of tokens and of n-grams."""
    tokens, ngrams = vocabularies
    image: ImageTower | ClipTower | None = None
    text: TextTower | ClipTower | None = None
    if config.clip is not None:
        image, text = build_clip_towers(config.clip)
    else:
        image = ImageTower(config.image) if config.image is not None else None
        text = build_text_tower(config.text, tokens, ngrams) if config.text is not None else None
    return Tagger(config, classes, image, text, ngrams, tabular)


def rebuild_tagger(
    config: ModelConfig,
    classes: Mapping[str, int],
    encoder: dict[str, Any] | None,
    ngrams: int = 0,
    tabular: TabularSizes = NO_COLUMNS,
) -> Tagger:
    """The same shape again, weights to be loaded: nothing is downloaded. `encoder`: what `encoder_config` gave."""
    if ("text" in config.modalities) != (encoder is not None):
        raise ValueError("a text tower's shape without a text tower, or a text tower without its shape")
    image: ImageTower | ClipTower | None = None
    text: TextTower | ClipTower | None = None
    if config.clip is not None and encoder is not None:
        image, text = rebuild_clip_towers(config.clip, encoder)
    else:
        image = ImageTower(config.image, load_weights=False) if config.image is not None else None
        if config.text is not None and encoder is not None:
            text = rebuild_text_tower(config.text, encoder, ngrams)
    return Tagger(config, classes, image, text, ngrams, tabular)
