"""The package's layers hold: a module imports lower ones only, big libraries have one door each, nothing unpickles."""

import ast
from collections.abc import Iterable
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[1]
PACKAGE = TOP / "fashionmt"
FACADE = "__init__"
LAYERS = {
    "attributes": 0,
    "batch": 0,
    "errors": 0,
    "pages": 0,
    "shown": 0,
    "paths": 0,
    "problems": 0,
    "bootstrap": 1,
    "confidence": 1,
    "config": 1,
    "cores": 0,
    "taxonomy": 1,
    "decoding": 2,
    "novelty": 2,
    "ranking": 2,
    "run_report": 1,
    "similarity": 2,
    "data": 2,
    "model": 2,
    "storage": 1,
    "bundle": 3,
    "item_index": 3,
    "training": 4,
    "inference": 4,
    "hydra_bridge": 4,
    "benchmark": 5,
    "finished_run": 5,
    "add_similarity": 6,
    "similar_quality": 6,
    "similar": 5,
    "calibrate": 5,
    "export": 5,
    "sweep": 5,
    "recommend": 6,
    "failures": 6,
    "cli": 7,
}
"""A module, or a package whose modules may import each other -> its layer."""
DOORS = {
    "pytorch_lightning": ("training/", "recommend/train.py", "recommend/ranker_module.py"),
    "lightning": (),
    "hydra": ("hydra_bridge.py", "failures.py", "cli.py"),
    "hydra_plugins": ("sweep/study_sweeper.py",),
    "faiss": ("item_index/approximate.py",),
    "ray": ("inference/ray_parts.py",),
    "onnx": (),
    "onnxruntime": ("inference/runtimes/onnx_runtime.py", "export/quantise.py"),
    "openvino": ("inference/runtimes/openvino_runtime.py",),
    "omegaconf": ("hydra_bridge.py", "failures.py", "cli.py"),
    "optuna": ("sweep/study.py", "sweep/study_sweeper.py"),
    "wandb": ("training/wandb_run.py",),
    "transformers": ("model/bert_tower.py", "model/clip_towers.py", "model/pretrained.py"),
    **dict.fromkeys(("pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"), ()),
}
"""A library -> the files, or folders, of the package that may import it."""
FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def problems(file: str, source: str) -> list[str]:
    """What `file`, named from the package's folder, does that it may not."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            found.append(f"line {node.lineno}: relative import")
        elif isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            found.append(f"line {node.lineno}: wildcard import")
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found += [f"line {node.lineno}: {wrong}" for name in _imported(node) if (wrong := _refused(file, name))]
        elif isinstance(node, ast.Call) and (wrong := _unsafe(node)):
            found.append(f"line {node.lineno}: {wrong}")
    return found


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Dotted names; `from fashionmt import config` is fashionmt.config."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if node.module == "fashionmt":
        return [f"fashionmt.{alias.name}" if alias.name in LAYERS else "fashionmt" for alias in node.names]
    return [node.module or ""]


def _imports(nodes: Iterable[ast.AST]) -> list[str]:
    return [name for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for name in _imported(node)]


def _refused(file: str, name: str) -> str | None:
    """Why `file` may not import `name`."""
    top, _, rest = name.partition(".")
    if top != "fashionmt":
        doors = DOORS.get(top, (file,))
        return None if file in doors or f"{file.partition('/')[0]}/" in doors else f"imports {top}"
    importer, imported = _part(file), rest.partition(".")[0]
    if imported in ("", importer) or importer == FACADE:
        return None  # the facade is looked at by a test of its own
    if LAYERS[imported] >= LAYERS[importer]:
        return f"{importer} (layer {LAYERS[importer]}) imports {imported} (layer {LAYERS[imported]})"
    return None


def _part(file: str) -> str:
    return file.partition("/")[0].removesuffix(".py")


def _unsafe(call: ast.Call) -> str | None:
    """Why a call could run code that it reads."""
    function = ast.unparse(call.func)
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    if function in ("eval", "exec"):
        return function
    if function == "torch.load" and given.get("weights_only") != "True":
        return "torch.load without weights_only=True"
    if given.get("allow_pickle") == "True":
        return "allow_pickle=True"
    if given.get("trust_remote_code", "False") != "False":
        return "trust_remote_code"
    return None


@pytest.mark.parametrize("file", FILES)
def test_it_keeps_to_its_layer_and_doors(file: str) -> None:
    assert problems(file, (PACKAGE / file).read_text(encoding="utf-8")) == []


def test_every_module_has_a_layer() -> None:
    assert {_part(file) for file in FILES} - {FACADE} == LAYERS.keys()


def test_importing_the_package_imports_nothing_of_it() -> None:
    """What is reached through `fashionmt.` comes when it is used; every layer may read `fashionmt.__version__`."""
    body = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8")).body
    imports = _imports(body)
    assert not [name for name in imports if name.partition(".")[0] not in ("typing", "importlib", "collections")]


@pytest.mark.parametrize("name", ["train.py", "predict.py"])
def test_a_script_knows_the_commands_alone(name: str) -> None:
    tree = ast.parse((TOP / name).read_text(encoding="utf-8"))
    assert _imports(ast.walk(tree)) == ["fashionmt.cli"]


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("data/dataset.py", "from fashionmt.model import Tagger"),
        ("model/tagger.py", "import fashionmt.data.dataset"),
        ("model/tagger.py", "def late():\n    from fashionmt.training.loss import MultiTaskLoss"),
        ("training/loss.py", "from fashionmt.inference import engine"),
        ("inference/engine.py", "from fashionmt.training import metrics"),
        ("inference/engine.py", "from fashionmt.hydra_bridge import to_yaml"),
        ("bundle.py", "from fashionmt import training"),
        ("batch.py", "from fashionmt.attributes import LabelSpace"),
        ("config/model.py", "from fashionmt.data import Findings"),
        ("inference/engine.py", "import pytorch_lightning as pl"),
        ("bundle.py", "from pytorch_lightning.loggers import Logger"),
        ("config/training.py", "from omegaconf import MISSING"),
        ("training/run.py", "import hydra.utils"),
        ("training/run.py", "import wandb"),
        ("bundle.py", "import transformers"),
        ("inference/run.py", "import ray.data"),
        ("data/tokens.py", "from transformers import AutoTokenizer"),
        ("bundle.py", "import pickle"),
        ("training/run.py", "from lightning import Trainer"),
        ("data/dataset.py", "from .labels import Labels"),
        ("data/dataset.py", "from fashionmt.data.labels import *"),
        ("bundle.py", "import torch\ntorch.load(path)"),
        ("bundle.py", "import torch\ntorch.load(path, weights_only=False)"),
        ("bundle.py", "import numpy as np\nnp.load(path, allow_pickle=True)"),
        ("model/bert_tower.py", "AutoModel.from_pretrained(name, trust_remote_code=True)"),
        ("cli.py", "eval(text)"),
    ],
)
def test_each_breach_would_be_found(file: str, source: str) -> None:
    assert len(problems(file, source)) == 1


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("data/dataset.py", "from fashionmt.data.labels import Labels\nfrom fashionmt.config import DataConfig"),
        ("training/run.py", "import fashionmt\nimport pytorch_lightning\nfrom fashionmt.model import Tagger"),
        ("training/wandb_run.py", "import wandb"),
        ("model/bert_tower.py", "import transformers"),
        ("cli.py", "import hydra\nfrom fashionmt import config as schema\nfrom fashionmt.training import run_training"),
        ("bundle.py", "import torch\ntorch.load(path, weights_only=True)"),
    ],
)
def test_what_is_allowed_is_not_reported(file: str, source: str) -> None:
    assert problems(file, source) == []
