"""The pictures of an index's items, read where they lay when they were added."""

from functools import cached_property
from types import TracebackType

from fashionmt.errors import UserError
from fashionmt.inference.items import StoredPicture
from fashionmt.inference.pictures import PictureLimits, PictureSource, open_pictures
from fashionmt.item_index import ItemIndex

SECONDS = 10.0
MAX_BYTES = 30_000_000


class IndexPictures:
    """Nothing is fetched from the network: a location such as s3://bucket is read where `images` names it, as then a
    person asks for it."""

    def __init__(self, index: ItemIndex, images: str | None = None, limits: PictureLimits | None = None) -> None:
        """`images`: where all pictures lie now; None: where the index says."""
        self._index, self._images = index, images
        self._limits = limits or PictureLimits(MAX_BYTES, SECONDS)
        self._opened: dict[str, PictureSource | None] = {}

    def __enter__(self) -> "IndexPictures":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for source in self._opened.values():
            if source is not None:
                source.close()

    def of(self, row: int) -> StoredPicture | None:
        """An item's; None where it has none, or where they cannot be reached."""
        name = self._names[row]
        segment = self._index.description.segments[self._index.segment_of[row]]
        place = self._images or segment.images
        if name is None or place is None:
            return None
        source = self._source(place)
        return None if source is None else StoredPicture(source, name)

    @cached_property
    def _names(self) -> list[str | None]:
        return list(self._index.column("picture"))

    def _source(self, place: str) -> PictureSource | None:
        if place not in self._opened:
            try:
                elsewhere = "://" in place and self._images is None
                self._opened[place] = None if elsewhere else open_pictures(place, self._limits)
            except UserError:
                if self._images is not None:
                    raise
                self._opened[place] = None  # they lie elsewhere now
        return self._opened[place]
