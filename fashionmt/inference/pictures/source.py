"""What a place where pictures lie has to do, and what it says where it hands none over."""

from dataclasses import dataclass
from typing import IO, Protocol

from fashionmt.data.preprocess import PictureError
from fashionmt.problems import Code, Problem

LONGEST_MESSAGE = 200  # characters: a store's own error may be a page of XML


@dataclass(frozen=True)
class PictureLimits:
    """What one picture may cost."""

    max_bytes: int
    seconds: float
    """For a picture from the network, all together: looking up, connecting, and its last byte."""
    redirects: int = 3
    allow_urls: bool = False
    """Fetch what http(s) addresses name."""


class PictureRefused(PictureError):  # noqa: N818
    """A picture that is not handed over; `problem` says why."""

    @classmethod
    def of(cls, code: Code, message: object) -> "PictureRefused":
        """With a message, or the error that was caught, in one line that is not long."""
        text = " ".join(str(message).split()) or type(message).__name__
        return cls(Problem(code, text[:LONGEST_MESSAGE]))


class PictureSource(Protocol):
    """Hands over encoded pictures by name, to several threads at once; pickled, it opens anew where it arrives."""

    def read(self, name: str) -> bytes:
        """A picture's encoded bytes. Raises `PictureRefused` and nothing else, whatever `name` is."""

    def close(self) -> None:
        """Let go of what is open; reading again opens it again."""


def too_large(max_bytes: int) -> PictureRefused:
    """The refusal of a picture over the limit."""
    return PictureRefused.of(Code.IMAGE_TOO_MANY_BYTES, f"over {max_bytes / 1e6:g} megabytes")


def read_declared(file: IO[bytes], size: int, max_bytes: int) -> bytes:
    """As many bytes as a file is said to hold: never more, and none where that is over the limit."""
    if size > max_bytes:
        raise too_large(max_bytes)
    return file.read(size)
