"""Tagging from file to file against the model's forward alone, with pictures to decode and with decoded ones.

Cold and warm: `tagging` decodes each picture's file, as `predict.py` does. For `tagging_decoded` they lie in memory as
pixels of the model's size, as they do in a warm picture cache; reading the table, tokenising, the forward, the answers
and writing are as always. The operating system holds the files in its own cache in both.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from PIL import Image
from tagging import Tagged, bare, end_to_end, prepare, read_items

from fashionmt.inference import TaggingEngine, load_bundle
from fashionmt.inference.catalogue_items import ItemReader, ReadItem
from fashionmt.inference.engine import PreparedBatch
from fashionmt.inference.items import Item
from fashionmt.inference.manifest import PartStart
from fashionmt.inference.quarantine import Record
from speed_parts.settings import Settings
from speed_parts.turns import Figure, in_turns, ratio, seconds


def measure(settings: Settings) -> list[Figure]:
    """Items a second. The forward is measured twice: as torch does it by itself, the cores sharing each operation, and
    as tagging does it, a batch a core."""
    engine = load_bundle(settings.bundle)
    tagged = Tagged(settings.bundle, *settings.tagged)
    items = read_items(tagged.job(engine, settings.new_run("prepared").root))
    prepared = prepare(engine, items)
    decoded = _decoded(prepared)
    tasks: dict[str, Callable[[], float]] = {
        "forward": lambda: bare(engine, prepared),
        "forward_a_batch_a_core": lambda: seconds(lambda: _side_by_side(engine, prepared)),
        "tagging": lambda: end_to_end(engine, tagged, settings.new_run("tagging").root)[0],
        "tagging_decoded": lambda: end_to_end(
            engine, tagged, settings.new_run("tagging").root, lambda own: _DecodedReader(own, decoded)
        )[0],
    }
    for task in tasks.values():
        task()
    found = in_turns(settings.repeats, tasks, "tagging")
    rates = {name: [len(items) / value for value in values] for name, values in found.items()}
    best = [max(pair) for pair in zip(rates["forward"], rates["forward_a_batch_a_core"], strict=True)]
    cold, warm = rates["tagging"], rates["tagging_decoded"]
    return [
        *(Figure(name, values, "items/s") for name, values in rates.items()),
        ratio("tagging_of_forward", cold, rates["forward"], "of the forward", ">= 0.9"),
        ratio("tagging_decoded_of_forward", warm, rates["forward"], "of the forward", ">= 0.97"),
        ratio("tagging_of_faster_forward", cold, best, "of the faster of the two forwards"),
        ratio("tagging_decoded_of_faster_forward", warm, best, "of the faster of the two forwards"),
    ]


def _side_by_side(engine: TaggingEngine, prepared: Sequence[PreparedBatch]) -> None:
    """A thread a core, in each of which torch computes on one."""
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(lambda batch: bare(engine, [batch]), prepared))
    torch.set_num_threads(threads)  # the default of threads to come, too


def _decoded(prepared: Sequence[PreparedBatch]) -> dict[str, Image.Image]:
    """An item's id -> its picture, of those that could be read."""
    return {
        item.id: Image.fromarray(pixels.numpy())
        for batch in prepared
        if batch.batch is not None
        for item, pixels, there in zip(batch.readable, batch.batch.pixels, batch.batch.has_image, strict=True)
        if there
    }


@dataclass(frozen=True)
class _DecodedReader:
    """Reads as `own` does, but for the pictures."""

    own: ItemReader
    pictures: dict[str, Image.Image]

    def items(self, start: PartStart) -> Iterator[ReadItem | Record]:
        for row in self.own.items(start):
            yield replace(row, item=self._with_pixels(row.item)) if isinstance(row, ReadItem) else row

    def _with_pixels(self, item: Item) -> Item:
        return replace(item, image=self.pictures.get(item.id, item.image))
