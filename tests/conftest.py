"""Shared fixtures: the real catalogue where it lies, and a cache folder that no test shares with a person."""

import os
from pathlib import Path

import pytest

REAL = Path(os.environ.get("FASHIONMT_DATA", "../shared/fashion-product-images-small"))


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
