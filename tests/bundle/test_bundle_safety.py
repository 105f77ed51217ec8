"""Reading a bundle runs no code of it, reads no file but its own, and needs no trainer."""

import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from bundles import a_bundle, describe, refusal, replace_file, replace_weights

from fashionmt.bundle import read_bundle, save_bundle

# Not safe


@pytest.mark.parametrize("name", ["extra.pkl", "extra.pt", "EXTRA.PTH", "pytorch_model.bin", "old/extra.ckpt"])
def test_a_planted_pickle_is_refused_by_name(saved: Path, name: str) -> None:
    (saved / name).parent.mkdir(exist_ok=True)
    (saved / name).write_bytes(pickle.dumps({}))
    assert Path(name).name in refusal(saved)


@pytest.mark.parametrize("sign", [True, False])
def test_a_pickle_called_safetensors_is_refused_and_not_run(saved: Path, tmp_path: Path, sign: bool) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[[Any], None], tuple[Path]]:
            return Path.touch, (tmp_path / "sprung",)

    trap = pickle.dumps({"weight": Trap()})
    if sign:
        replace_file(saved, "model.safetensors", trap)
    else:
        (saved / "model.safetensors").write_bytes(trap)
    assert "model.safetensors" in refusal(saved)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_refused_by_name(saved: Path, value: float) -> None:
    replace_weights(saved, lambda state: state["heads.linear.head_colour.weight"].__setitem__((1, 2), value))
    assert "heads.linear.head_colour.weight is not finite" in refusal(saved)


def test_weights_without_a_tensor_or_with_one_too_many_are_refused_by_name(saved: Path) -> None:
    bias: list[torch.Tensor] = []
    replace_weights(saved, lambda state: bias.append(state.pop("heads.linear.head_colour.bias")))
    assert "heads.linear.head_colour.bias" in refusal(saved)
    replace_weights(saved, lambda state: state.update({"heads.linear.head_colour.bias": bias[0]}))
    read_bundle(saved)
    replace_weights(saved, lambda state: state.update({"extra": torch.zeros(1)}))
    assert "extra" in refusal(saved)


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b'{"model": {"type": "NoSuch"}}'])
def test_a_tokenizer_that_is_none_is_refused(saved: Path, content: bytes) -> None:
    replace_file(saved, "tokenizer.json", content)
    assert "tokenizer.json" in refusal(saved)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(hashes=d["hashes"][::-1].copy()),  # the weights' rows would belong to other words
        lambda d: d.update(hashes=d["hashes"].astype(np.int32)),
        lambda d: d.update(idf=d["idf"][:-1].copy()),
        lambda d: d.update(idf=d["idf"] * np.float32("nan")),
        lambda d: d.pop("idf"),
    ],
)
def test_ngrams_that_are_none_are_refused(saved: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    stored = safetensors.numpy.load_file(saved / "ngrams.safetensors")
    change(stored)
    replace_file(saved, "ngrams.safetensors", safetensors.numpy.save(stored))
    assert re.search("ngrams|idf", refusal(saved))


def test_ngrams_that_are_neither_listed_nor_there_are_refused(saved: Path) -> None:
    (saved / "ngrams.safetensors").unlink()
    describe(saved, lambda d: d["sha256"].pop("ngrams.safetensors"))
    assert "ngrams.safetensors" in refusal(saved)


def test_a_tokenizer_that_is_neither_listed_nor_there_is_refused(saved: Path) -> None:
    (saved / "tokenizer.json").unlink()
    describe(saved, lambda d: d["sha256"].pop("tokenizer.json"))
    assert "tokenizer.json" in refusal(saved)


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "README.md"])
def test_no_file_is_read_but_its_own(saved: Path, name: str) -> None:
    describe(saved, lambda d: d["sha256"].update({name: "0" * 64}))
    assert f"lists the unknown file {name!r}" in refusal(saved)


WATCHED = """
import sys
from pathlib import Path
unpickled = []
reading = False
def watch(event, arguments):
    if reading and event in ("pickle.find_class", "exec", "compile", "os.system", "subprocess.Popen", "socket.connect"):
        unpickled.append((event, str(arguments)[:200]))
sys.addaudithook(watch)
from fashionmt.bundle import read_bundle
read_bundle(Path(sys.argv[1]))  # once before, so that modules imported on the way are there
reading = True
bundle = read_bundle(Path(sys.argv[1]))
reading = False
assert bundle.tagger.modalities == ("image", "text")
print([name for name in ("hydra", "omegaconf", "pytorch_lightning", "lightning", "wandb") if name in sys.modules])
print(unpickled)
"""


@pytest.fixture
def watched(tmp_path: Path) -> list[str]:
    """What a fresh interpreter that reads a bundle prints."""
    save_bundle(a_bundle("both", tmp_path), tmp_path / "bundle")
    command = [sys.executable, "-c", WATCHED, str(tmp_path / "bundle")]
    top = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, cwd=top, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_reading_needs_no_trainer_and_no_hydra_and_runs_no_code_of_the_bundle(watched: list[str]) -> None:
    assert watched == ["[]", "[]"]
