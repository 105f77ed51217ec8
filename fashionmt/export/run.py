"""`task=export`: a bundle's model becomes ONNX files inside the bundle, once it has passed its checks."""

import hashlib
import importlib.util
import json
import platform
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from fashionmt.batch import Batch
from fashionmt.bundle import Bundle, bundle_digest, read_bundle
from fashionmt.config import PredictConfig
from fashionmt.data.sample import sample_catalogue
from fashionmt.errors import UserError
from fashionmt.export.checks import OWN, Checks, compare, demand_accuracy, demand_inputs, demand_same_tags
from fashionmt.export.graph import TaggerGraph, write_graph
from fashionmt.inference import Item, TaggingEngine
from fashionmt.inference.catalogue_items import ReadItem
from fashionmt.inference.job import open_reader
from fashionmt.inference.run import chosen_bundle
from fashionmt.inference.runtimes import ExportedModels, has_runtime, load_model, read_exports
from fashionmt.inference.runtimes.exported import DESCRIPTION, FLOAT, FOLDER, FORMAT, INT8
from fashionmt.inference.runtimes.tensors import feeds_of
from fashionmt.inference.show import console, tell
from fashionmt.paths import cache_dir
from fashionmt.storage import make_folder, publish

NEEDED = ("onnx", "onnxscript", "onnxruntime")
RUNTIMES = ("onnx", "openvino")


def export_bundle(config: PredictConfig) -> dict[str, Any]:
    """Write `config.export.precisions` of a bundle's model; returns the summary. Raises `UserError`, with nothing
    written, where a model does not pass."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError("task=export", f"{', '.join(missing)} not installed", "Run pip install 'fashionmt[onnx]'")
    folder = chosen_bundle(config)
    bundle = read_bundle(folder)
    kept = _older_exports(folder)
    engine = TaggingEngine(bundle, config.batch_size)
    checked, calibrating = _items(config, bundle)
    models, checks = dict(kept.models), dict[str, Checks]()
    with tempfile.TemporaryDirectory() as place:
        made = _write_models(engine, config.export.precisions, calibrating, Path(place))
        for precision, path in made.items():
            checks[precision] = _check(engine, path.read_bytes(), precision, checked)
            models[precision] = _described(path, checks[precision])
        _keep(replace(kept, models=models), made)
    _show(folder, checks)
    return {"bundle": str(folder), "models": {name: models[name]["checks"] for name in made}}


def _older_exports(folder: Path) -> ExportedModels:
    """Those that lie in the bundle. None, and it is told, where they are damaged or another bundle's: tagging says that
    they are to be made again, and this is how."""
    try:
        return read_exports(folder)
    except UserError as error:
        thing, wrong, _ = error.args
        tell(f"{thing}: {wrong}; the older exports are left out")
        return ExportedModels(folder / FOLDER, bundle_digest(folder), {})


def _items(config: PredictConfig, bundle: Bundle) -> tuple[list[Item], list[Item]]:
    """(items to check by, others to calibrate by), drawn from the catalogue; without one from the sample."""
    if config.catalogue is None:
        drawn = sample_catalogue(cache_dir())
        config = replace(config, catalogue=str(drawn.catalogue), images=str(drawn.images))
    rows = open_reader(replace(config, given=True), bundle).items()
    items = [row.item for row in rows if isinstance(row, ReadItem)]
    if len(items) < 2:
        raise UserError("catalogue", f"{len(items)} items can be read of it", "Name one of some hundreds of items")
    checked, calibrating = config.export.check_items, config.export.calibration_items
    chosen = random.Random(0).sample(items, min(len(items), checked + calibrating))
    calibrating = min(calibrating, len(chosen) // 2)
    return chosen[calibrating:][:checked], chosen[:calibrating]


def _write_models(engine: TaggingEngine, precisions: Sequence[str], items: list[Item], place: Path) -> dict[str, Path]:
    """Precision -> the file."""
    size = max(2, engine.batch_size)
    prepared = [engine.prepare(items[first : first + size]) for first in range(0, len(items), size)]
    demand_inputs([inputs for each in prepared for inputs in each.inputs], engine.bundle.modalities)
    batches = [each.batch for each in prepared if each.batch is not None and len(each.batch) > 1]
    if not batches:
        raise UserError("catalogue", "the model can read none of its items", "Check images= and the columns")
    graph = TaggerGraph(engine.bundle.tagger, tuple(engine.bundle.spaces), batches[0])
    made = {FLOAT: place / f"{FLOAT}.onnx"}
    write_graph(graph, _some(batches), made[FLOAT])
    if INT8 in precisions:
        from fashionmt.export.quantise import write_int8

        made[INT8] = place / f"{INT8}.onnx"
        write_int8(made[FLOAT], [feeds_of(batch, graph.inputs) for batch in batches], made[INT8])
    return {precision: made[precision] for precision in precisions}


def _some(batches: Sequence[Batch]) -> Batch:
    """One whose titles have several tokens and n-grams: a dimension of one would be taken for a constant."""
    return max(batches, key=lambda batch: min(batch.token_ids.shape[1], batch.ngram_ids.shape[1], len(batch)))


def _check(engine: TaggingEngine, model: bytes, precision: str, items: list[Item]) -> Checks:
    exported = {
        name: TaggingEngine(engine.bundle, engine.batch_size, load_model(name, model))
        for name in RUNTIMES
        if has_runtime(name)
    }
    checks = compare(engine, exported, items)
    demand_same_tags(checks) if precision == FLOAT else demand_accuracy(checks)
    return checks


def _described(path: Path, checks: Checks) -> dict[str, Any]:
    machine = {"processor": platform.processor() or platform.machine()}
    return {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "checks": asdict(checks) | machine}


def _keep(exports: ExportedModels, made: dict[str, Path]) -> None:
    """The files, then what names them."""
    make_folder(exports.folder)
    for precision, path in made.items():
        publish(exports.file(precision), path.read_bytes())
    stored = {"format": FORMAT, "bundle": exports.bundle, "models": exports.models}
    publish(exports.folder / DESCRIPTION, json.dumps(stored, indent=1).encode())


def _show(folder: Path, checks: Mapping[str, Checks]) -> None:
    """A table, and the commands that are faster here than torch."""
    table = Table("precision", "runtime", "items/s", "of torch", "same tags", "most accuracy lost")
    hints = []
    for precision, found in checks.items():
        own = found.items_per_second[OWN]
        for runtime, rate in found.items_per_second.items():
            if runtime == OWN:
                table.add_row(FLOAT, runtime, f"{rate:.0f}", "1.00", "", "")
                continue
            lost = max((each[OWN] - each[runtime] for each in found.accuracy.values()), default=None)
            points = "-" if lost is None else f"{100 * lost:.2f} points"
            same = f"{found.same_tags[runtime]:.2%}"
            table.add_row(precision, runtime, f"{rate:.0f}", f"{rate / own:.2f}", same, points)
            options = f"runtime={runtime} precision={precision}"
            faster = f"python predict.py bundle={folder} {options}"
            hints.append(faster if rate > own else f"{options}: no faster here than torch")
    console().print(table)
    tell(*hints)
