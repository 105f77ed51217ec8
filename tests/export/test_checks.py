"""An exported model that tags otherwise, or worse, is refused; and one that is not fit to run is."""

import hashlib
import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from fashionmt.batch import Batch, TaggerOutput
from fashionmt.bundle import bundle_digest
from fashionmt.data.sample import sample_catalogue
from fashionmt.data.tables import Table
from fashionmt.errors import UserError
from fashionmt.export.checks import Checks, compare, demand_accuracy, demand_inputs, demand_same_tags
from fashionmt.export.run import _older_exports as older_exports
from fashionmt.inference import Item, TaggingEngine, load_bundle
from fashionmt.inference.runtimes import ExportedModels, Runtime, read_exports
from fashionmt.paths import cache_dir

LABELS = ("articleType", "baseColour", "gender", "masterCategory", "subCategory", "season")
DAMAGED = (
    "",
    "{",
    "[]",
    '{"format": 2, "bundle": "", "models": {}}',
    '{"format": 1, "bundle": 5, "models": {}}',
    '{"format": 1, "bundle": "0", "models": {}}',
)


@pytest.fixture(scope="module")
def engine(trained: Path) -> TaggingEngine:
    return load_bundle(trained / "bundle")


@pytest.fixture
def items() -> list[Item]:
    drawn = sample_catalogue(cache_dir())
    rows = [row.values for row in islice(Table(drawn.catalogue).rows(), 40)]
    return [
        Item(
            row["id"],
            row["productDisplayName"],
            drawn.images / f"{row['id']}.jpg",
            given={name: row[name] for name in LABELS if row[name]},
        )
        for row in rows
    ]


class Wrong:
    """Says of each batch's first item that its colour is the last one."""

    def __init__(self, right: Runtime) -> None:
        self.right, self.device = right, right.device

    def __call__(self, batch: Batch) -> TaggerOutput:
        output = self.right(batch)
        changed = output.logits["baseColour"].clone()
        changed[0, -1] += 100
        return TaggerOutput(output.logits | {"baseColour": changed}, output.embedding)


def test_it_is_compared_without_the_labels_and_scored_by_them(engine: TaggingEngine, items: list[Item]) -> None:
    checks = compare(engine, {"onnx": TaggingEngine(engine.bundle, 10, engine.runtime)}, items)
    tagged = engine.tag([replace(item, given={}) for item in items])
    right = [
        tags.tags["articleType"].value == item.given["articleType"] for tags, item in zip(tagged, items, strict=True)
    ]
    assert checks.items == 40
    assert checks.same_tags == {"onnx": 1}
    assert checks.accuracy.keys() == set(LABELS)
    assert checks.accuracy["articleType"] == dict.fromkeys(("torch", "onnx"), pytest.approx(sum(right) / 40))
    assert checks.items_per_second.keys() == {"torch", "onnx"}
    demand_same_tags(checks)
    demand_accuracy(checks)


def test_what_tags_otherwise_is_refused(engine: TaggingEngine, items: list[Item]) -> None:
    """By whichever runtime."""
    exported = {"onnx": engine.runtime, "openvino": Wrong(engine.runtime)}
    checks = compare(
        engine, {name: TaggingEngine(engine.bundle, 10, runtime) for name, runtime in exported.items()}, items
    )
    accuracy = checks.accuracy["baseColour"]
    assert checks.same_tags == {"onnx": 1, "openvino": pytest.approx(36 / 40, abs=0.1)}
    assert accuracy["openvino"] < accuracy["torch"] == accuracy["onnx"]
    with pytest.raises(UserError, match=r"by openvino: tags .* of 40 items as the bundle does"):
        demand_same_tags(checks)
    with pytest.raises(UserError, match=r"baseColour's accuracy is .* by openvino"):
        demand_accuracy(checks)


def test_without_labels_nothing_tells_what_int8_costs() -> None:
    with pytest.raises(UserError, match="no labels of colour to check it by"):
        demand_accuracy(Checks(100, {"onnx": 1.0}, {}, {}, ["colour"]))


def test_an_attribute_without_labels_is_not_passed_by_those_that_have_some(
    engine: TaggingEngine, items: list[Item]
) -> None:
    some = [replace(item, given={"season": item.given["season"]}) for item in items if "season" in item.given]
    checks = compare(engine, {"onnx": TaggingEngine(engine.bundle, 10, Wrong(engine.runtime))}, some)
    assert set(checks.unlabelled) == engine.bundle.spaces.keys() - {"season"}
    with pytest.raises(UserError, match="no labels of articleType, baseColour"):
        demand_accuracy(checks)


@pytest.mark.parametrize(("without", "repair"), [("image", "images="), ("text", r"columns\.title=")])
def test_a_catalogue_that_hardly_shows_what_the_model_reads_is_refused(without: str, repair: str) -> None:
    other = {"image": "text", "text": "image"}[without]
    demand_inputs([("image", "text")] * 2 + [(other,)] * 18, ("image", "text"))
    demand_inputs([(other,)] * 20, (other, "tabular"))
    with pytest.raises(UserError, match=f"1 of 20 items drawn from it show one.*{repair}"):
        demand_inputs([("image", "text")] + [(other,)] * 19, ("image", "text"))


def planted(bundle: Path, content: bytes, made_from: str, digest: str | None = None) -> None:
    (bundle / "onnx").mkdir()
    (bundle / "onnx" / "int8.onnx").write_bytes(content)
    models = {"int8": {"sha256": digest or hashlib.sha256(content).hexdigest(), "checks": {}}}
    stored = {"format": 1, "bundle": made_from, "models": models}
    (bundle / "onnx" / "exports.json").write_text(json.dumps(stored))


@pytest.fixture
def bundle(trained: Path, tmp_path: Path) -> Path:
    """A copy."""
    copy = tmp_path / "bundle"
    copy.mkdir()
    for file in (trained / "bundle").iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy


def test_a_bundle_without_exports_says_how_to_make_them(bundle: Path) -> None:
    with pytest.raises(UserError, match=r"no such exported model.*task=export bundle=.*precisions=\[int8\]"):
        read_exports(bundle).model("int8")


def test_another_bundles_exports_are_refused(bundle: Path) -> None:
    planted(bundle, b"model", "0" * 64)
    with pytest.raises(UserError, match="made from the bundle 00000000, and this one is"):
        read_exports(bundle)


def test_a_changed_file_is_refused(bundle: Path) -> None:
    planted(bundle, b"model", bundle_digest(bundle), digest=hashlib.sha256(b"other").hexdigest())
    with pytest.raises(UserError, match="not as it was written"):
        read_exports(bundle).model("int8")


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_list_of_exports_is_refused(bundle: Path, content: str) -> None:
    planted(bundle, b"model", bundle_digest(bundle))
    (bundle / "onnx" / "exports.json").write_text(content)
    with pytest.raises(UserError, match=r"exports\.json"):
        read_exports(bundle)


@pytest.mark.parametrize("content", DAMAGED)
def test_exports_that_cannot_be_read_are_told_and_made_again(
    bundle: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    planted(bundle, b"model", bundle_digest(bundle))
    assert older_exports(bundle).models.keys() == {"int8"}
    (bundle / "onnx" / "exports.json").write_text(content)
    assert older_exports(bundle) == ExportedModels(bundle / "onnx", bundle_digest(bundle), {})
    told = capsys.readouterr().err
    assert "exports.json: " in told
    assert "the older exports are left out" in told


def test_what_is_no_model_is_refused(bundle: Path) -> None:
    pytest.importorskip("onnxruntime")
    planted(bundle, b"model", bundle_digest(bundle))
    with pytest.raises(UserError, match="onnx cannot run it"):
        load_bundle(bundle, precision="int8", runtime="onnx")
