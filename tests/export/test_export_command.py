"""`task=export`, and tagging by what it made: the same tags, another job."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet
import pytest

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

TOP = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def predicted(trained: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle, its exports, and what each runtime tagged the sample's new items as. Exports that are
    damaged lay there before."""
    root = tmp_path_factory.mktemp("export")
    shutil.copytree(trained / "bundle", root / "bundle")
    (root / "bundle/onnx").mkdir()
    (root / "bundle/onnx/exports.json").write_text("{")
    run(root, cache, "task=export", "bundle=bundle", "export.check_items=300", "export.precisions=[32-true]")
    for runtime in ("torch", "onnx"):
        run(root, cache, "bundle=bundle", f"output={runtime}", f"runtime={runtime}", "summary=false")
    return root


def run(root: Path, cache: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOP / "predict.py"), *options]
    environment = os.environ | {"FASHIONMT_CACHE": str(cache)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


def test_it_passes_its_checks_and_says_so(predicted: Path) -> None:
    stored = json.loads((predicted / "bundle/onnx/exports.json").read_text())
    assert stored["models"].keys() == {"32-true"}
    checks = stored["models"]["32-true"]["checks"]
    assert all(share >= 0.999 for share in checks["same_tags"].values())
    assert checks["items"] == 300
    for accuracy in checks["accuracy"].values():
        assert accuracy == dict.fromkeys(accuracy, pytest.approx(accuracy["torch"], abs=0.01))
    assert {"torch", "onnx"} <= checks["items_per_second"].keys()


def test_tagging_by_it_gives_the_same_tags_as_another_job(predicted: Path) -> None:
    tables = {
        name: pyarrow.parquet.read_table(sorted((predicted / name).glob("part-*.parquet"))[0]).to_pylist()
        for name in ("torch", "onnx")
    }
    names = ("articleType", "baseColour", "gender", "season")
    assert [[row["id"], *(row[name] for name in names)] for row in tables["onnx"]] == [
        [row["id"], *(row[name] for name in names)] for row in tables["torch"]
    ]
    marks = {json.loads((predicted / name / "_manifest.json").read_text())["fingerprint"] for name in tables}
    assert len(marks) == 2


def test_it_answers_without_the_libraries_that_the_model_is_built_from(predicted: Path) -> None:
    """They take seconds to load."""
    code = (
        "import sys, fashionmt\n"
        "engine = fashionmt.load_bundle('bundle', runtime='onnx')\n"
        "assert engine.tag([{'id': 'a', 'title': 'Red scarf'}])[0].tags\n"
        "print(*({'torchvision', 'transformers', 'sympy', 'sklearn', 'pandas'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=predicted, capture_output=True, text=True, timeout=300)
    assert (done.stdout.strip(), done.returncode) == ("", 0), done.stderr
