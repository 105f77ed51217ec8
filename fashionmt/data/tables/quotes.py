"""Where a quoted text runs over lines, and where a quote is merely broken.

A record whose quote is open at its line's end goes on in the next lines if, with them, it is sound CSV of exactly the
right number of fields, within 1,000 lines and 1,000,000 characters. Otherwise the quote is broken, and the first line
alone is lost: the rows after it are read as if it were not there. So it is too where each of its lines, the first and
the last included, has the right number of fields by itself, quotes being mere characters: these are rows of which the
first has a quote too many, and the last too. (In a file of one column nearly every text that runs over lines is that.)
"""

import csv
from collections.abc import Iterable, Iterator

from fashionmt.data.tables.lines import decoded_anyhow, too_long
from fashionmt.data.tables.row import MAX_FIELD

MAX_LINES = 1_000
NEVER_CLOSED = "a quote is opened and never closed"
TOO_FAR = f"a quote is opened and not closed within {MAX_LINES:,} lines and {MAX_FIELD:,} characters"
CLOSED_BY_ROWS = "a quote is closed only in a later line, and each line up to there looks like a row"


class BrokenQuoteError(Exception):
    """An open record that does not go on in the next lines, and why."""


class Quotes:
    """Reads the quotes of a file."""

    def __init__(self, delimiter: str) -> None:
        """`delimiter`: one character."""
        self.delimiter = delimiter

    def fields(self, text: str, strict: bool = False) -> tuple[list[str], bool]:
        """The fields of a record that begins with `text`, and whether a quote is open at its end.

        As the csv module reads them: a quote in the middle of an unquoted field is a character, and what stands behind
        a closing quote belongs to the field. `strict` raises `csv.Error` for the latter.
        """
        reader = csv.reader((text, '"'), delimiter=self.delimiter, strict=strict)  # the second closes an open quote
        return next(reader), reader.line_num > 1

    def reach(self, first: str, following: Iterable[bytes], width: int | None) -> int:
        """In how many lines after `first` its open record goes on. Raises `BrokenQuoteError`.

        `width`: the number of fields, None where it is not known yet. However many quotes are broken, few searches
        pass the same line: an open line that a search passes has added a field to it, so these are `width` at most.
        """
        count, texts = 0, [first]
        try:
            count = len(self.fields(first, strict=True)[0])
            for text in self._near(len(first), following):
                texts.append(text)
                if '"' not in text:
                    continue
                added, is_open = self.fields(f'"{text}', strict=True)
                count += len(added) - 1
                if count > (width or count):
                    break
                if not is_open:
                    return self._checked(texts, count, width)
        except csv.Error:
            pass
        raise BrokenQuoteError(NEVER_CLOSED)

    def _near(self, size: int, following: Iterable[bytes]) -> Iterator[str]:
        """The texts of the next lines that may belong to a record of `size` characters so far."""
        for number, line in enumerate(following, 2):
            if number > MAX_LINES or too_long(line):
                raise BrokenQuoteError(TOO_FAR)
            text = decoded_anyhow(line)
            size += len(text)
            if size > MAX_FIELD:
                raise BrokenQuoteError(TOO_FAR)
            yield text

    def _checked(self, texts: list[str], count: int, width: int | None) -> int:
        """How many lines follow the first, if they and it make a record. Raises `BrokenQuoteError`."""
        if count != (width or count):
            raise BrokenQuoteError(f"a quote is closed only in a later line, at {count} fields for {width} columns")
        if all(text.count(self.delimiter) + 1 == width for text in texts):
            raise BrokenQuoteError(CLOSED_BY_ROWS)
        return len(texts) - 1
