"""Shared fixtures: the real catalogue where it lies, and a cache folder that no test shares with a person."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is loaded: the tests share the cores by process

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir

from fashionmt.config import TrainConfig
from fashionmt.hydra_bridge import VERSION_BASE, register_resolvers, register_schemas, to_dataclass
from fashionmt.paths import conf_dir

TOP = Path(__file__).resolve().parents[1]
REAL = Path(os.environ.get("FASHIONMT_DATA", "../shared/fashion-product-images-small"))
LONGEST = (
    "sweep/test_sweep_command.py",
    "inference/test_crash_points.py",
    "test_cli.py",
    "similar/test_similar_commands.py",
    "export/test_export_command.py",
    "export/test_graph.py",
    "inference/test_tag_catalogue.py",
    "sweep/test_sweep_run.py",
)
"""Files that take a minute or minutes: they go first, for whoever took one last would work at it alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; the others in their order."""
    first = {TOP / "tests" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: first.get(item.path, len(first)))


@pytest.fixture
def real_catalogue() -> Path:
    """The folder of the public catalogue; tests that need it skip where it is absent."""
    if not (REAL / "styles.csv").is_file():
        pytest.skip("the real catalogue is absent: set FASHIONMT_DATA")
    return REAL.resolve()


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the whole test session: the sample catalogue is drawn and decoded once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASHIONMT_CACHE", str(cache))


OF_LIGHTNING = [
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.*"),
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    pytest.mark.filterwarnings("ignore:The number of training batches"),
]
"""For tests that train: warnings of Lightning and torch themselves."""
SMALL = [
    "preprocess.height=24",
    "preprocess.width=18",
    "model.fusion.size=32",
    "trainer.precision=32-true",
    "trainer.accelerator=cpu",
    "optim.batch_size=64",
]
"""Overrides that make the sample run in seconds."""


@pytest.fixture
def compose() -> Callable[..., TrainConfig]:
    """The config of a small run on the sample catalogue, with overrides."""
    register_schemas()
    register_resolvers()

    def composed(*overrides: str) -> TrainConfig:
        with initialize_config_dir(str(conf_dir()), **VERSION_BASE):
            return to_dataclass(hydra_compose("train", [*SMALL, *overrides]), TrainConfig)

    return composed


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """The folder of one finished small run on the sample, shared by the tests that only read it."""
    root = tmp_path_factory.mktemp("trained")
    command = [sys.executable, str(TOP / "train.py"), *SMALL, "trainer.max_epochs=3", "hydra.run.dir=runs/train/a/b"]
    environment = os.environ | {"FASHIONMT_CACHE": str(cache)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return root / "runs/train/a/b"
