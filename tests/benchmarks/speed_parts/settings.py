"""What the parts measure on: a catalogue, a model, a bundle, and how often."""

import itertools
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from hydra import compose, initialize_config_dir

from fashionmt.config import TrainConfig
from fashionmt.data.prepare import PreparedData
from fashionmt.data.sample import sample_catalogue
from fashionmt.hydra_bridge import VERSION_BASE, register_resolvers, register_schemas, to_dataclass
from fashionmt.paths import cache_dir, conf_dir
from fashionmt.training.loading import load_data
from fashionmt.training.run import run_training, settle
from fashionmt.training.run_folder import RunFolder

TOP = Path(__file__).resolve().parents[3]
PUBLIC = "data=fashion_products"


@dataclass(frozen=True)
class Settings:
    """Of one command."""

    folder: Path
    """For what the measurements write."""
    repeats: int = 3
    items: int = 2048
    catalogue: Path | None = None
    """A table as the public catalogue is one; None: the sample."""
    images: Path | None = None
    overrides: tuple[str, ...] = ()
    """Of the training's config."""
    given_bundle: Path | None = None
    """To tag with; None: one that is trained for an epoch."""
    ludwig: Path | None = None
    """The environment that Ludwig is installed in; None: it is left out."""
    epochs: int = 2
    """That are counted, of each training."""

    @cached_property
    def config(self) -> TrainConfig:
        """What `train.py` would train by with these overrides, its precision settled."""
        own = any(text.startswith(("data=", "experiment=")) for text in self.overrides)
        chosen = [PUBLIC] if self.catalogue is not None and not own else []
        config = settle(composed(*chosen, *self.overrides))
        config.limit_items = self.items
        if self.catalogue is not None:
            config.data.catalogue = str(self.catalogue)
            config.data.images = str(self.images) if self.images is not None else None
        return config

    @cached_property
    def data(self) -> PreparedData:
        """Of the first families that hold `items` rows; its pictures are in the cache."""
        return load_data(self.config)

    @cached_property
    def bundle(self) -> Path:
        """How well it tags does not matter."""
        if self.given_bundle is not None:
            return self.given_bundle
        folder = self.new_run("bundle")
        short = replace(self.config, report=False, trainer=replace(self.config.trainer, max_epochs=1))
        run_training(short, folder, [], resume=False, data=self.data)
        return folder.bundle

    @cached_property
    def tagged(self) -> tuple[Path, Path | None]:
        """The first `items` rows of the catalogue as a file of their own, and their pictures."""
        files = self.files()
        some = self.folder / "tagged.csv"
        with files[0].open(encoding="utf-8") as table:
            some.write_text("".join(itertools.islice(table, self.items + 1)), encoding="utf-8")
        return some, files[1]

    def files(self) -> tuple[Path, Path | None]:
        """The catalogue, and the folder of its pictures."""
        if self.catalogue is not None:
            return self.catalogue, self.images
        drawn = sample_catalogue(cache_dir())
        return drawn.catalogue, drawn.images

    def new_run(self, name: str) -> RunFolder:
        """The folder of a run that was not there yet."""
        for number in itertools.count():
            root = self.folder / f"{name}-{number}"
            if not root.exists():
                root.mkdir(parents=True)
                return RunFolder(root)
        raise AssertionError


def composed(*overrides: str) -> TrainConfig:
    """The config of `train.py` with these overrides."""
    register_schemas()
    register_resolvers()
    with initialize_config_dir(str(conf_dir()), **VERSION_BASE):
        return to_dataclass(compose("train", list(overrides)), TrainConfig)
