"""`task=similar`: the items of an index like a query."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from fashionmt.bundle import bundle_digest, read_bundle
from fashionmt.config import PredictConfig
from fashionmt.errors import UserError
from fashionmt.inference.engine import engine_of
from fashionmt.inference.run import chosen_bundle
from fashionmt.inference.show import tell
from fashionmt.inference.similar import Query, SimilarItems, Wanted, find_similar
from fashionmt.item_index import BundleMark, ItemIndex, load_index, newest_index
from fashionmt.item_index.description import read_description
from fashionmt.similar.make import make_index
from fashionmt.similar.queries import answer_queries
from fashionmt.similar.sheet import write_sheet
from fashionmt.similar.show import show_answer, show_asking

EXAMPLES = 3
RUNS = Path("runs")


def find(config: PredictConfig) -> dict[str, Any]:
    """Answer `config.similar`; returns what is printed as JSON. Raises `UserError`."""
    asked = config.similar
    if config.output is not None and asked.queries is None:
        raise UserError("output", "is where similar.queries goes", "Leave it out, or set similar.html=<file>")
    folder = _index_folder(config)
    mark = _bundle_of(config, folder)
    index = load_index(folder, mark)
    bundle = read_bundle(Path(mark.name), build=config.runtime == "torch")
    engine = engine_of(replace(config, bundle=mark.name), bundle).with_vectors()
    wanted = Wanted(asked.k, asked.filters, asked.in_stock, asked.duplicates, asked.mmr)
    if asked.queries is not None:
        return answer_queries(config, engine, index, wanted)
    queries = _queries(config, index)
    answers = [find_similar(engine.tag, index, query, wanted, config.images) for query in queries]
    for answer in answers:
        show_answer(answer)
    if asked.html is not None:
        write_sheet(Path(asked.html), index, engine.bundle, list(zip(queries, answers, strict=True)), config.images)
        tell(f"sheet: {asked.html}")
    return _told(index, answers)


def _told(index: ItemIndex, answers: list[SimilarItems]) -> dict[str, Any]:
    found = [answer.to_json() for answer in answers]
    return {"index": str(index.folder)} | (found[0] if len(found) == 1 else {"examples": found})


def _index_folder(config: PredictConfig) -> Path:
    """The index that is named, the newest, or one that is made now."""
    if config.index is not None:
        return Path(config.index)
    found = newest_index(RUNS)
    if found is None:
        tell("index: none below runs/index yet: made now")
        found = Path(make_index(replace(config, output=None))["output"])
    return found


def _bundle_of(config: PredictConfig, folder: Path) -> BundleMark:
    """The bundle that is named, or the index's own where it lies where it lay, or the newest."""
    described = read_description(folder).bundle
    own = Path(described.name)
    if config.bundle is None and (own / "bundle.json").is_file():
        return BundleMark(described.name, bundle_digest(own))
    bundle = chosen_bundle(config)
    return BundleMark(str(bundle), bundle_digest(bundle) if (bundle / "bundle.json").is_file() else "")


def _queries(config: PredictConfig, index: ItemIndex) -> list[Query]:
    """The one that was asked, or examples."""
    asked = config.similar
    if asked.id is not None or asked.image is not None or asked.words is not None:
        return [Query(asked.id, asked.image, asked.words, None, asked.image_weight)]
    show_asking(index)
    return [Query(id=item) for item in random.sample(index.ids, min(EXAMPLES, len(index)))]
