"""A labelled catalogue, read as tagging reads it, and what a tagger says of its items."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from torch import Tensor, from_numpy

from fashionmt.attributes import LabelSpace
from fashionmt.batch import Batch
from fashionmt.bundle import Bundle
from fashionmt.calibrate.account import Account
from fashionmt.data.splits import crowded_pictures, families
from fashionmt.errors import TooManyBadError, UserError
from fashionmt.inference.catalogue_items import ItemReader
from fashionmt.inference.items import Item
from fashionmt.inference.preparing import Preparer
from fashionmt.inference.runtimes import TorchRuntime
from fashionmt.inference.totals import counted
from fashionmt.problems import Code
from fashionmt.training.answers import Answers, answer_views
from fashionmt.training.thresholds import Groups


@dataclass(frozen=True)
class Labelled:
    """N items that the tagger can read and that have a label, and what it says of them."""

    said: Mapping[str, Answers]
    """By view, that of whole items first, as `answer_views` gives it."""
    groups: Groups
    """Each item's family, (N,)."""
    spaces: Mapping[str, LabelSpace]
    """The bundle's; `unlearned` are the labels that it does not know."""
    account: Account
    """Of the catalogue's rows."""

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def families(self) -> int:
        """How many there are: by these, not by items, a threshold is bound."""
        return len(set(self.groups.tolist()))

    @property
    def whole(self) -> Answers:
        """To each item as it is."""
        return next(iter(self.said.values()))

    def by_view(self) -> dict[str, Answers]:
        """By view, to the items that show it."""
        return {view: answers.where(answers.showing(view)) for view, answers in self.said.items()}


def read_labelled(reader: ItemReader, bundle: Bundle, batch_size: int, max_bad_fraction: float) -> Labelled:
    """Raises `UserError` where no column holds labels, and `TooManyBadError` where more than this share of the rows
    cannot be read."""
    if not reader.columns.given:
        repair = f"Name one: columns.given.{next(iter(bundle.spaces))}=<column>"
        raise UserError("catalogue", "none of its columns has an attribute's name", repair)
    reading = _Reading(reader, bundle)
    runtime = TorchRuntime(bundle.tagger)
    said = answer_views(runtime.tagger, reading.batches(batch_size), runtime.device, embeddings=False)
    account = reading.account
    if account.unread.total() > max_bad_fraction * account.rows:
        wrong = f"of {account.rows} rows {counted(account.unread)} cannot be read, over {max_bad_fraction:.0%}"
        repair = "Tag it to see which, and repair the rows or raise max_bad_fraction"
        raise TooManyBadError("catalogue", wrong, repair)
    if not said:
        raise UserError("catalogue", "none of its rows has a label", "Label some hundreds of its items")
    labels, spaces = _encoded(reading.labels, bundle.spaces)
    return Labelled(
        {view: replace(answers, labels=labels) for view, answers in said.items()},
        families([str(row) for row in range(len(reading.labels))], reading.titles, reading.digests),
        spaces,
        replace(account, crowded=sum(crowded_pictures(reading.titles, reading.digests).values())),
    )


class _Reading:
    """One pass over a catalogue: what is kept of the items beside the batches."""

    def __init__(self, reader: ItemReader, bundle: Bundle) -> None:
        self.reader, self.prepare = reader, Preparer(bundle)
        self.account = Account()
        self.labels: list[Mapping[str, str]] = []
        self.titles: list[str | None] = []
        self.digests: list[str | None] = []

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Of the items that have a label, what the tagger can read."""
        source = (item for row in self.reader.items() if (item := self.account.add(row)) is not None)
        while items := list(islice(source, batch_size)):
            prepared = self.prepare(items)
            for inputs, problem in zip(prepared.inputs, prepared.picture_problems, strict=True):
                if inputs:
                    self.account.add_picture(problem)
                else:
                    self.account.unread[str(Code.NOTHING_TO_READ)] += 1
            if prepared.batch is not None:
                self._keep(prepared.readable, prepared.batch)
                yield prepared.batch

    def _keep(self, items: Sequence[Item], batch: Batch) -> None:
        pictures = zip(batch.pixels, batch.has_image.tolist(), strict=True)
        self.labels += [item.given for item in items]
        self.titles += [item.title for item in items]
        self.digests += [hashlib.sha256(picture.numpy()).hexdigest() if there else None for picture, there in pictures]


def _encoded(
    labels: Sequence[Mapping[str, str]], known: Mapping[str, LabelSpace]
) -> tuple[dict[str, Tensor], dict[str, LabelSpace]]:
    """Attribute -> int64 (N,), and the space in which it is an index."""
    encoded, spaces = {}, {}
    for name, space in known.items():
        texts = [each.get(name) for each in labels]
        foreign = {text for text in texts if text is not None and text not in space.index}
        spaces[name] = replace(space, unlearned=tuple(sorted(foreign)))
        encoded[name] = from_numpy(spaces[name].encode(texts))
    return encoded, spaces
