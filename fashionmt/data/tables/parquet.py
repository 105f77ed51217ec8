"""Parquet: the columns that are texts or can be written as one, a row group after the other."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fashionmt.data.tables.row import BadRow, Place, Scanned, TableRow
from fashionmt.errors import UserError
from fashionmt.problems import Code, Problem

BATCH = 4096  # rows at a time
STREAMED = {"pre_buffer": False, "buffer_size": 1 << 16}  # else a row group, maybe the whole file, is held


class ParquetFile:
    """A Parquet file whose schema has been read."""

    def __init__(self, path: Path) -> None:
        """Raises `UserError` where it is none."""
        import pyarrow
        import pyarrow.parquet

        self.path = path
        try:
            schema = pyarrow.parquet.read_schema(path)
        except (pyarrow.ArrowInvalid, OSError) as error:
            raise UserError(str(path), f"not a readable Parquet file ({error})", "Write it again") from error
        self.columns = [field.name for field in schema if _is_text(field.type)]

    def scan(self, start: Place | None = None) -> Iterator[Scanned]:
        """Every row from `start` on, with its place."""
        number = start.offset if start is not None else 0
        for columns, sound in self._batches(number):
            for texts in zip(*columns, strict=True):
                place = Place(number, number + 1)
                yield place, (None if sound else _not_utf8(place.line, texts)) or self._row(place.line, texts)
                number += 1

    def _row(self, line: int, texts: Sequence[str]) -> TableRow:
        return TableRow(line, dict(zip(self.columns, texts, strict=True)))

    def _batches(self, skip: int) -> Iterator[tuple[list[list[str]], bool]]:
        """Texts by column from row `skip` on, and whether all of them are UTF-8."""
        import pyarrow
        import pyarrow.parquet

        number = skip
        try:
            with pyarrow.parquet.ParquetFile(self.path, **STREAMED) as file:
                for group in range(file.num_row_groups):
                    size = file.metadata.row_group(group).num_rows
                    if skip >= size:
                        skip -= size
                        continue
                    for batch in file.iter_batches(BATCH, row_groups=[group], columns=self.columns):
                        rest = batch.slice(min(skip, batch.num_rows))
                        skip -= batch.num_rows - rest.num_rows
                        yield self._texts(rest)
                        number += rest.num_rows
        except (pyarrow.ArrowException, OSError) as error:
            where = f"{self.path} after row {number}"
            raise UserError(where, f"not a readable Parquet file ({error})", "Write it again") from error

    def _texts(self, batch: Any) -> tuple[list[list[str]], bool]:
        import pyarrow

        columns = [_as_text(batch.column(name)) for name in self.columns]
        try:
            return [column.to_pylist() for column in columns], True
        except UnicodeDecodeError:
            contents = [column.cast(pyarrow.binary()).to_pylist() for column in columns]
            return [[value.decode(errors="surrogateescape") for value in column] for column in contents], False


def _is_text(type: Any) -> bool:
    """Whether a column is a text or can be written as one: neither binary nor nested."""
    import pyarrow
    from pyarrow import types

    if isinstance(type, pyarrow.BaseExtensionType):
        return _is_text(type.storage_type)
    if types.is_dictionary(type):
        return _is_text(type.value_type)
    binary = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
    return not any(check(type) for check in (types.is_nested, *binary))


def _as_text(column: Any) -> Any:
    """The column as Arrow strings; a null is the empty text."""
    import pyarrow

    return column.cast(pyarrow.string()).fill_null("")


def _not_utf8(line: int, texts: Sequence[str]) -> BadRow | None:
    text = "".join(texts)
    try:
        text.encode()
    except UnicodeEncodeError:
        problem = Problem(Code.ROW_NOT_UTF8, "a text that is not UTF-8")
        return BadRow.of(line, problem, text.encode(errors="surrogateescape"))
    return None
