"""What several tests of the model share."""

from pathlib import Path

import pytest
from tiny import one_thread, save_tiny_bert

_one_thread = pytest.fixture(scope="module", autouse=True)(one_thread)


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A local pretrained BERT; copy it before changing it."""
    folder = tmp_path_factory.mktemp("pretrained") / "bert"
    save_tiny_bert(folder)
    return folder
