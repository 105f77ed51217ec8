"""What can be wrong with one item of a catalogue to tag: a closed list of codes, which the README explains."""

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """Where on its way an item is stopped."""

    READ = "read"
    ID = "id"
    FETCH = "fetch"
    DECODE = "decode"
    MODEL = "model"


class Code(StrEnum):
    """What is wrong. The first word says with what."""

    ROW_BROKEN_QUOTE = "ROW_BROKEN_QUOTE"
    ROW_RAGGED = "ROW_RAGGED"
    ROW_NOT_UTF8 = "ROW_NOT_UTF8"
    ROW_NUL_BYTE = "ROW_NUL_BYTE"
    ROW_TOO_LONG = "ROW_TOO_LONG"
    ROW_NOT_JSON = "ROW_NOT_JSON"
    ID_MISSING = "ID_MISSING"
    IMAGE_NOT_FOUND = "IMAGE_NOT_FOUND"
    IMAGE_OUTSIDE_ROOT = "IMAGE_OUTSIDE_ROOT"
    IMAGE_NOT_REGULAR_FILE = "IMAGE_NOT_REGULAR_FILE"
    IMAGE_TOO_MANY_BYTES = "IMAGE_TOO_MANY_BYTES"
    IMAGE_READ_FAILED = "IMAGE_READ_FAILED"
    IMAGE_TIMEOUT = "IMAGE_TIMEOUT"
    IMAGE_URL_REFUSED = "IMAGE_URL_REFUSED"
    IMAGE_URL_FAILED = "IMAGE_URL_FAILED"
    IMAGE_FORMAT_REFUSED = "IMAGE_FORMAT_REFUSED"
    IMAGE_TOO_MANY_PIXELS = "IMAGE_TOO_MANY_PIXELS"
    IMAGE_DAMAGED = "IMAGE_DAMAGED"
    NOTHING_TO_READ = "NOTHING_TO_READ"
    MODEL_NONFINITE = "MODEL_NONFINITE"

    @property
    def stage(self) -> Stage:
        """Where it is found."""
        return STAGES[self]

    @property
    def retryable(self) -> bool:
        """Whether the same item may pass at another time."""
        return self in RETRYABLE


STAGES = {
    **{code: Stage.READ for code in Code if code.startswith("ROW_")},
    Code.ID_MISSING: Stage.ID,
    **{code: Stage.FETCH for code in Code if code.startswith("IMAGE_")},
    **dict.fromkeys((Code.IMAGE_FORMAT_REFUSED, Code.IMAGE_TOO_MANY_PIXELS, Code.IMAGE_DAMAGED), Stage.DECODE),
    **dict.fromkeys((Code.NOTHING_TO_READ, Code.MODEL_NONFINITE), Stage.MODEL),
}
RETRYABLE = frozenset({Code.IMAGE_NOT_FOUND, Code.IMAGE_READ_FAILED, Code.IMAGE_TIMEOUT, Code.IMAGE_URL_FAILED})


@dataclass(frozen=True)
class Problem:
    """Why an item, or its picture, is not read."""

    code: Code
    message: str
    """A few words for people: what was found."""
