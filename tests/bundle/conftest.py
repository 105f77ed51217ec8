"""A bundle on the disk; all on one thread."""

from dataclasses import replace
from pathlib import Path

import pytest
from bundles import FITTED, OPTIONAL, a_bundle, a_head, decided
from tiny import one_thread

from fashionmt.bundle import save_bundle

_one_thread = pytest.fixture(scope="module", autouse=True)(one_thread)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A bundle of a text tagger with a wide path: the fastest that has every file; and every optional key."""
    bundle = replace(a_bundle("wide", tmp_path), similarity=a_head())
    save_bundle(decided(bundle, [*FITTED, *OPTIONAL, "alone"]), tmp_path / "bundle")
    return tmp_path / "bundle"
