"""Both towers of a CLIP model (Radford et al. 2021, arXiv:2103.00020): `model.clip`.

Two sources: a CLIP that transformers implements, by hub name or folder, or the towers that `experiment=pretrain_clip`
wrote. B items, S the size of the space in which pictures and titles meet.
"""

import re
from pathlib import Path
from typing import Any, Self

import torch
import transformers
from tokenizers import Tokenizer
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2.functional import resize

from fashionmt.batch import Batch
from fashionmt.config import ClipConfig, ImageTowerConfig, TextTowerConfig
from fashionmt.errors import UserError
from fashionmt.model.bert_tower import BertTower, build_encoder, encoder_from_config, pretrained_tokenizer
from fashionmt.model.frozen import FrozenPart
from fashionmt.model.image_tower import ImageTower
from fashionmt.model.pooling import attended
from fashionmt.model.pretrained import PretrainedSource, shape_alone
from fashionmt.model.towers_folder import MAKE, TowersFolder, read_towers

FAMILY = "clip"
OF_THE_HUB = re.compile(r"\w[\w.-]*/\w[\w.-]*")
"""Owner and model."""
RESAMPLING = {2: "bilinear", 3: "bicubic"}
"""Pillow's numbers, which image processors keep -> torchvision's names."""


class ClipTower(nn.Module):
    """One of the two, as a tagger's towers are. Frozen, it takes no gradient and stays in evaluation mode."""

    def __init__(self, encoder: "Encoder", config: ClipConfig) -> None:
        """`encoder`: one of the four below."""
        super().__init__()
        self.encoder, self.size = encoder, encoder.size
        self.trained = config.train == "all"
        if not self.trained:
            self.requires_grad_(False)
        self.train()

    def forward(self, given: Any, frozen: Tensor | None = None) -> Tensor:
        """Pixels uint8 (B, H, W, 3), or a batch, to float (B, S). `frozen`: what a frozen tower makes of them, where it
        is known already."""
        if frozen is not None:
            return frozen
        with torch.set_grad_enabled(self.trained and torch.is_grad_enabled()):
            features: Tensor = self.encoder(given)
        return features

    def train(self, mode: bool = True) -> Self:
        """As `nn.Module.train`, but what is frozen stays in evaluation mode."""
        return super().train(mode and self.trained)

    def new_parameters(self) -> list[nn.Parameter]:
        """None: all were trained before."""
        return []

    def frozen_part(self) -> FrozenPart | None:
        """All of it, of a frozen one."""
        if self.trained:
            return None
        shape = {"tower": type(self.encoder).__name__, **self.shape()}
        reads_pictures = isinstance(self.encoder, ClipPictures | ProjectedPictures)
        return FrozenPart(self.encoder, shape, lambda batch: self.encoder(batch.pixels if reads_pictures else batch))

    def shape(self) -> dict[str, Any]:
        """What `rebuild_clip_towers` needs, as JSON takes it."""
        return self.encoder.shape()


class ClipPictures(nn.Module):
    """CLIP's picture encoder: uint8 (B, H, W, 3) -> float (B, S).

    Pictures are stretched to the encoder's square: its processor would crop them to one, and a shoe or a collar lies
    where it crops. A square `preprocess.height` and `.width` keeps their proportions.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: Any, processing: dict[str, Any]) -> None:
        """`encoder`: a CLIPVisionModelWithProjection. `processing`: `mean`, `std` (of colours from 0 to 1), `mode`."""
        super().__init__()
        self.encoder, self.processing = encoder, processing
        self.size: int = encoder.config.projection_dim
        for name in ("mean", "std"):
            value = torch.tensor(processing[name], dtype=torch.float32).view(1, 3, 1, 1)
            self.register_buffer(name, value, persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """See above."""
        embedded: Tensor = self.encoder(pixel_values=self.processed(pixels)).image_embeds
        return embedded

    def processed(self, pixels: Tensor) -> Tensor:
        """Resized and normalised as its processor says: uint8 (B, H, W, 3) -> float (B, 3, side, side)."""
        side, mode = self.encoder.config.image_size, InterpolationMode(self.processing["mode"])
        # As bytes, as the processor does: its rounding and clipping are the same.
        resized: Tensor = resize(pixels.permute(0, 3, 1, 2), [side, side], mode, antialias=True)
        return (resized.float() / 255 - self.mean) / self.std

    def shape(self) -> dict[str, Any]:
        """See `ClipTower.shape`."""
        return {"family": FAMILY, "encoder": self.encoder.config.to_dict(), "processing": self.processing}


class ClipTitles(nn.Module):
    """CLIP's title encoder, which pools at the end-of-text token: a batch -> float (B, S)."""

    def __init__(self, encoder: Any) -> None:
        """`encoder`: a CLIPTextModelWithProjection."""
        super().__init__()
        self.encoder = encoder
        self.size: int = encoder.config.projection_dim

    def forward(self, batch: Batch) -> Tensor:
        """See above; of a title without tokens something finite."""
        mask = attended(batch.token_mask).long()
        embedded: Tensor = self.encoder(input_ids=batch.token_ids, attention_mask=mask).text_embeds
        return embedded

    def shape(self) -> dict[str, Any]:
        """See `ClipTower.shape`."""
        return {"family": FAMILY, "encoder": self.encoder.config.to_dict()}


class ProjectedPictures(nn.Module):
    """A torchvision network and its projection: uint8 (B, H, W, 3) -> float (B, S)."""

    def __init__(self, tower: ImageTower, size: int) -> None:
        """`size`: S."""
        super().__init__()
        self.tower, self.size = tower, size
        self.projection = nn.Linear(tower.size, size, bias=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """See above."""
        embedded: Tensor = self.projection(self.tower(pixels))
        return embedded

    def shape(self) -> dict[str, Any]:
        """See `ClipTower.shape`."""
        return {"family": "own", "network": self.tower.name, "size": self.size}


class ProjectedTitles(nn.Module):
    """A BERT and its projection: a batch -> float (B, S)."""

    def __init__(self, tower: BertTower, size: int) -> None:
        """`size`: S."""
        super().__init__()
        self.tower, self.size = tower, size
        self.projection = nn.Linear(tower.size, size, bias=False)

    def forward(self, batch: Batch) -> Tensor:
        """See above."""
        embedded: Tensor = self.projection(self.tower(batch))
        return embedded

    def shape(self) -> dict[str, Any]:
        """See `ClipTower.shape`."""
        return {"family": "own", "encoder": self.tower.shape(), "size": self.size}


Encoder = ClipPictures | ClipTitles | ProjectedPictures | ProjectedTitles


def build_clip_towers(config: ClipConfig) -> tuple[ClipTower, ClipTower]:
    """The towers of pictures and of titles, with the weights of `config.source`. Raises `UserError`."""
    own = _own_towers(config)
    pictures, titles = _from_own(own) if own is not None else _from_transformers(_source(config))
    return ClipTower(pictures, config), ClipTower(titles, config)


def rebuild_clip_towers(config: ClipConfig, shape: dict[str, Any]) -> tuple[ClipTower, ClipTower]:
    """The same shape again, weights to be loaded: nothing is downloaded. `shape`: `ClipTower.shape` of `image`, `text`.

    Raises ValueError for an unknown family.
    """
    image, text = shape["image"], shape["text"]
    pictures: Encoder
    titles: Encoder
    match (image["family"], text["family"]):
        case ("clip", "clip"):
            vision = transformers.CLIPVisionConfig.from_dict(shape_alone(image["encoder"]))
            words = transformers.CLIPTextConfig.from_dict(shape_alone(text["encoder"]))
            pictures = ClipPictures(transformers.CLIPVisionModelWithProjection(vision), image["processing"])
            titles = ClipTitles(transformers.CLIPTextModelWithProjection(words))
        case ("own", "own"):
            network = ImageTower(ImageTowerConfig(name=image["network"]), load_weights=False)
            pictures = ProjectedPictures(network, image["size"])
            titles = ProjectedTitles(BertTower(encoder_from_config(text["encoder"])), text["size"])
        case families:
            raise ValueError(f"CLIP towers of the families {families!r}")
    return ClipTower(pictures, config), ClipTower(titles, config)


def clip_tokenizer(config: ClipConfig) -> Tokenizer:
    """The tokenizer of `config.source`, cutting where its title encoder ends. Raises `UserError`."""
    if (own := _own_towers(config)) is not None:
        return pretrained_tokenizer(str(own.text), own.max_tokens)
    source = _source(config)
    return source.tokenizer(_clip_config(source).text_config.max_position_embeddings)


def check_clip(config: ClipConfig) -> None:
    """Raise `UserError` where there is no such model, or one that is no CLIP."""
    if _own_towers(config) is None:
        _clip_config(_source(config))


def _own_towers(config: ClipConfig) -> TowersFolder | None:
    return read_towers(Path(config.source))


def _from_own(towers: TowersFolder) -> tuple[ProjectedPictures, ProjectedTitles]:
    projections = towers.projections()
    image = ImageTower(ImageTowerConfig(name=towers.network, weights=str(towers.image)))
    text = BertTower(build_encoder(TextTowerConfig(pretrained=str(towers.text)), 0))
    pictures, titles = ProjectedPictures(image, towers.size), ProjectedTitles(text, towers.size)
    for encoder, weight in ((pictures, projections["image"]), (titles, projections["text"])):
        if weight.shape != encoder.projection.weight.shape:
            wrong = "its projections are of other sizes than its towers"
            raise UserError(str(towers.root), wrong, f"Copy the folder again, or make it with `{MAKE}`")
        encoder.projection.load_state_dict({"weight": weight})
    return pictures, titles


def _from_transformers(source: PretrainedSource) -> tuple[ClipPictures, ClipTitles]:
    config = _clip_config(source)
    whole = source.load_whole(transformers.CLIPModel, config=config)
    with torch.device("meta"):  # shapes alone: the weights are those of `whole`
        vision = transformers.CLIPVisionModelWithProjection(config.vision_config)
        words = transformers.CLIPTextModelWithProjection(config.text_config)
    vision.vision_model, vision.visual_projection = whole.vision_model, whole.visual_projection
    words.text_model, words.text_projection = whole.text_model, whole.text_projection
    return ClipPictures(vision, _processing(source)), ClipTitles(words)


def _clip_config(source: PretrainedSource) -> Any:
    config = source.load(transformers.AutoConfig)
    if config.model_type != FAMILY:
        raise source.refusal(f"a model of the family {config.model_type!r}", f"Use one of the family {FAMILY!r}")
    # Of its parts' own there is a default, which nothing reads in the whole.
    config.vision_config.projection_dim = config.text_config.projection_dim = config.projection_dim
    return config


def _processing(source: PretrainedSource) -> dict[str, Any]:
    """How its pictures are resized and normalised."""
    processor = source.load(transformers.CLIPImageProcessor)
    mode = RESAMPLING.get(int(processor.resample))
    if mode is None or not processor.do_rescale or not processor.do_normalize:
        raise source.refusal("prepares its pictures in a way that this tower does not", "Name another CLIP")
    return {"mean": list(processor.image_mean), "std": list(processor.image_std), "mode": mode}


def _source(config: ClipConfig) -> PretrainedSource:
    repair = (
        "Go online, name a local folder with config.json, preprocessor_config.json, tokenizer.json and "
        f"model.safetensors, or pretrain towers with `{MAKE}`"
    )
    source = PretrainedSource("model.clip.source", config.source, repair)
    path = Path(config.source)
    if not path.is_dir() and (path.parent.is_dir() or not OF_THE_HUB.fullmatch(config.source)):
        raise source.refusal("no such folder", f"Make it with `{MAKE}`, or name a CLIP of the hub or a local folder")
    return source
