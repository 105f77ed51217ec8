"""All items of a catalogue as queries: one table of answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow
import pyarrow.parquet
from tqdm import tqdm

from fashionmt.config import PredictConfig
from fashionmt.errors import UserError
from fashionmt.inference import TaggingEngine
from fashionmt.inference.catalogue_items import ReadItem
from fashionmt.inference.job import JOINED, open_reader
from fashionmt.inference.quarantine import Record
from fashionmt.inference.show import tell
from fashionmt.inference.similar import IndexPictures, Query, SimilarItems, Wanted, ask, similar_to
from fashionmt.inference.tag_table import to_csv
from fashionmt.item_index import ItemIndex
from fashionmt.problems import Problem
from fashionmt.storage import publishing

AT_ONCE = 256
"""Queries that are read before the index is searched with them."""
SCHEMA = pyarrow.schema(
    [
        ("query_row", pyarrow.int64()),
        ("query_id", pyarrow.string()),
        ("rank", pyarrow.int64()),
        ("item_id", pyarrow.string()),
        ("score", pyarrow.float64()),
        ("agree", pyarrow.string()),
        ("drawn_by", pyarrow.string()),
        ("reason", pyarrow.string()),
    ]
)


def answer_queries(config: PredictConfig, engine: TaggingEngine, index: ItemIndex, wanted: Wanted) -> dict[str, Any]:
    """Write a row for each hit of each query; of a query that cannot be read, or has no hit, one row that says why.
    Returns the counts. Raises `UserError`."""
    output = _output(config)
    reader = open_reader(replace(config, catalogue=config.similar.queries, keep_columns=[]), engine.bundle)
    survey = reader.catalogue.survey(reader.columns.id, config.part_rows)
    rows = reader.items(survey.parts[0])
    counts = {"queries": 0, "unread": 0, "nothing": 0, "hits": 0, "short": 0}
    with (
        _writer(output) as write,
        IndexPictures(index, config.images) as pictures,
        tqdm(total=survey.rows, desc="asking", unit=" queries", disable=None) as bar,
    ):
        while batch := list(islice(rows, AT_ONCE)):
            read = [row for row in batch if isinstance(row, ReadItem)]
            asked = ask(engine.tag, index, [Query(item=row.item) for row in read], pictures)
            sound = [each for each in asked if not isinstance(each, Problem)]
            answers = iter(similar_to(index, sound, wanted))
            of_row = {
                row.row: each if isinstance(each, Problem) else next(answers)
                for row, each in zip(read, asked, strict=True)
            }
            records = [record for row in batch for record in _records(row, of_row)]
            write(pyarrow.Table.from_pylist(records, SCHEMA))
            counts["queries"] += len(batch)
            found = [len(answer.hits) for answer in of_row.values() if isinstance(answer, SimilarItems)]
            counts["unread"] += len(batch) - len(found)
            counts["nothing"] += sum(hits == 0 for hits in found)
            counts["hits"] += sum(found)
            counts["short"] += sum(hits < wanted.k for hits in found)
            bar.update(len(batch))
    without = f"{counts['unread']} could not be read and {counts['nothing']} have no hit"
    tell(f"queries: {counts['queries']}, of which {without}", f"answers: {output}")
    return {"output": str(output), "index": str(index.folder)} | counts


def _output(config: PredictConfig) -> Path:
    if config.output is None or Path(config.output).suffix.lower() not in JOINED:
        raise UserError("output", "similar.queries needs a file to write", "Set output=<file>.csv or .parquet")
    output = Path(config.output)
    if output.exists() and not config.overwrite:
        raise UserError(f"output={output}", "is there already", "Name another file, or set overwrite=true")
    return output


def _records(row: ReadItem | Record, answers: dict[int, SimilarItems | Problem]) -> Iterator[dict[str, Any]]:
    answer = answers[row.row] if isinstance(row, ReadItem) else None
    item = row.item.id if isinstance(row, ReadItem) else row.id
    if isinstance(answer, SimilarItems):
        for hit in answer.hits:
            found = {"rank": hit.rank, "item_id": hit.id, "score": round(hit.score, 6), "agree": ", ".join(hit.agree)}
            yield {"query_row": row.row, "query_id": item} | found | {"drawn_by": hit.drawn_by, "reason": hit.reason}
        if not answer.hits:
            yield {"query_row": row.row, "query_id": item, "rank": None, "reason": f"no hit: {'; '.join(answer.notes)}"}
        return
    problem = answer if isinstance(answer, Problem) else row
    assert isinstance(problem, Problem | Record)
    yield {"query_row": row.row, "query_id": item, "rank": None, "reason": f"{problem.code}: {problem.message}"}


@contextmanager
def _writer(output: Path) -> Iterator[Any]:
    """What takes tables; the file is there when all are."""
    with publishing(output) as file:
        if output.suffix.lower() == ".csv":
            yield _csv_writer(file)
        else:
            with pyarrow.parquet.ParquetWriter(file, SCHEMA) as writer:
                yield writer.write_table


def _csv_writer(file: IO[bytes]) -> Any:
    begun = False

    def write(table: Any) -> None:
        nonlocal begun
        file.write(to_csv(table, header=not begun))
        begun = True

    return write
