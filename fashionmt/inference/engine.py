"""Tags items with a bundle: batches side by side, one a core, or the next ones prepared while a GPU works on one."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from fashionmt.batch import Batch
from fashionmt.bundle import Bundle, bundle_digest, read_bundle
from fashionmt.data.dataset import make_batch
from fashionmt.data.preprocess import PictureError, Pixels, decode_picture, fit, read_encoded, upright_rgb
from fashionmt.data.tabular import TabularArrays
from fashionmt.data.titles import EncodedTitles
from fashionmt.inference.answers import Answer, Answerer
from fashionmt.inference.items import Item, ItemTags, Picture, StoredPicture
from fashionmt.inference.pictures import PictureRefused
from fashionmt.inference.similar import Query, SimilarItems, Wanted, find_similar
from fashionmt.item_index import BundleMark, ItemIndex, check_bundle
from fashionmt.problems import Code, Problem
from fashionmt.similarity import item_vectors

READS = ("image", "text")
NOTHING_READ = Problem(Code.NOTHING_TO_READ, "neither a picture nor a title that the model can read")
NO_NUMBER = Problem(Code.MODEL_NONFINITE, "the model's answer is no finite number")
AHEAD = 2
"""Batches in waiting besides those in work: enough to hide a slow one, little enough to hold in memory."""


@dataclass(frozen=True)
class PreparedBatch:
    """Items, and those of them that the model can read, as tensors."""

    items: list[Item]
    picture_problems: list[Problem | None]
    inputs: list[tuple[str, ...]]
    """Per item: what the model reads of it; empty for an item that it cannot tag."""
    batch: Batch | None
    """The readable items, in order; None where there are none."""

    @property
    def readable(self) -> list[Item]:
        """Those in the batch."""
        return [item for item, inputs in zip(self.items, self.inputs, strict=True) if inputs]


class TaggingEngine:
    """A bundle at work."""

    def __init__(
        self,
        bundle: Bundle,
        batch_size: int = 64,
        precision: str = "32-true",
        embeddings: bool = False,
        vectors: bool = False,
    ) -> None:
        """`precision`: `32-true`, or `bf16-mixed` for speed where confidences may move in the third digit.
        `embeddings`, `vectors`: answers hold them."""
        self.bundle = bundle
        self.mark: BundleMark | None = None
        self.embeddings, self.vectors = embeddings, vectors
        self.batch_size = batch_size
        self.bf16 = precision == "bf16-mixed"
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._answerer = Answerer(bundle)
        bundle.tagger.to(self.device).eval()

    def tag(self, items: Iterable[Item | Mapping[str, Any]]) -> list[ItemTags]:
        """The tags of `items`, in order. An item may be a mapping with `id`, `title` and `image`."""
        return list(self.stream(item if isinstance(item, Item) else Item(**item) for item in items))

    def stream(self, items: Iterable[Item]) -> Iterator[ItemTags]:
        """As `tag`, but lazily: a catalogue of any size in bounded memory.

        On the CPU each thread takes a batch from the pictures' bytes to the answers, on one core: two that share each
        operation wait for each other whenever one of them has also a picture to decode.
        """
        on_cpu = self.device.type == "cpu"
        source = iter(items)
        with _threads(torch.get_num_threads()) as (pool, count):
            waiting: deque[Future[PreparedBatch | list[ItemTags]]] = deque()
            work: Callable[[list[Item]], PreparedBatch | list[ItemTags]]
            work = self._prepare_and_answer if on_cpu else self.prepare
            while True:
                while len(waiting) < count + AHEAD and (batch := list(itertools.islice(source, self.batch_size))):
                    waiting.append(pool.submit(work, batch))
                if not waiting:
                    return
                done = waiting.popleft().result()
                yield from self.answer(done) if isinstance(done, PreparedBatch) else done

    def _prepare_and_answer(self, items: list[Item]) -> list[ItemTags]:
        return self.answer(self.prepare(items))

    def similar(
        self,
        index: ItemIndex,
        *,
        id: str | None = None,
        image: Picture | None = None,
        words: str | None = None,
        item: Item | Mapping[str, Any] | None = None,
        image_weight: float = 0.5,
        images: str | None = None,
        **wanted: Any,
    ) -> SimilarItems:
        """The items of an index most like one of its items, or a picture, words or both, or an item as `tag` takes it.

        `image_weight`: of the picture beside words. `images`: where the index's pictures lie now. `wanted`: fields of
        `Wanted`. Raises `UserError` where the query cannot be read or the index is another bundle's.
        """
        if self.mark is not None:
            check_bundle(index.folder, index.description, self.mark)
        whole = item if isinstance(item, Item) or item is None else Item(**item)
        query = Query(id, image, words, whole, image_weight)
        return find_similar(self.with_vectors().tag, index, query, Wanted(**wanted), images)

    def with_vectors(self) -> "TaggingEngine":
        """The same, whose answers hold vectors."""
        if self.vectors:
            return self
        precision = "bf16-mixed" if self.bf16 else "32-true"
        return TaggingEngine(self.bundle, self.batch_size, precision, self.embeddings, vectors=True)

    def prepare(self, items: list[Item]) -> PreparedBatch:
        """Decode and tokenise."""
        read = [self._picture(item) for item in items]
        encoded = self._titles(items)
        tabular = self.bundle.tabular.encode([item.tabular for item in items])
        has_title = encoded.there(np.arange(len(items)))
        there = [
            {"image": picture is not None, "text": bool(title), "tabular": bool(columns)}
            for (picture, _), title, columns in zip(read, has_title, tabular.there, strict=True)
        ]
        inputs = [self._inputs(has) for has in there]
        readable = np.array([row for row, names in enumerate(inputs) if names], dtype=np.int64)
        pictures = [read[row][0] for row in readable]
        batch = self._batch(pictures, encoded, readable, tabular.take(readable)) if len(readable) else None
        return PreparedBatch(items, [problem for _, problem in read], inputs, batch)

    def _inputs(self, there: Mapping[str, bool]) -> tuple[str, ...]:
        """What the model reads of an item; nothing of one that has neither picture nor title for it."""
        names = tuple(name for name in self.bundle.tagger.modalities if there[name])
        return names if any(name in READS for name in names) else ()

    @torch.inference_mode()
    def answer(self, prepared: PreparedBatch) -> list[ItemTags]:
        """Run the model on a prepared batch."""
        answers = iter(self._forward(prepared.batch, prepared) if prepared.batch is not None else [])
        return [
            self._told(item, inputs, problem, next(answers) if inputs else NOTHING_READ)
            for item, inputs, problem in zip(prepared.items, prepared.inputs, prepared.picture_problems, strict=True)
        ]

    def _told(self, item: Item, inputs: tuple[str, ...], picture: Problem | None, answer: Answer | Problem) -> ItemTags:
        if isinstance(answer, Problem):
            # An item that could have been read by its picture alone is one with a bad picture.
            problem = picture or answer if answer is NOTHING_READ else answer
            return ItemTags(item.id, {}, inputs, picture, problem)
        return ItemTags(
            item.id,
            answer.tags,
            inputs,
            picture,
            None,
            answer.confidence,
            answer.accepted,
            answer.reasons,
            answer.embedding,
            answer.vector,
        )

    def _forward(self, batch: Batch, prepared: PreparedBatch) -> list[Answer | Problem]:
        """Per item of the batch."""
        with torch.autocast(self.device.type, torch.bfloat16) if self.bf16 else nullcontext():
            output = self.bundle.tagger(batch.to(self.device))
        logits = {name: value.float().cpu() for name, value in output.logits.items()}
        finite = torch.stack([value.isfinite().all(1) for value in logits.values()]).all(0).tolist()
        readable = {name: value.nan_to_num() for name, value in logits.items()}
        answers = self._answerer(readable, prepared.readable, self._unknown(readable, prepared))
        if self.embeddings:
            rows = output.embedding.float().cpu().numpy()
            answers = [replace(answer, embedding=row) for answer, row in zip(answers, rows, strict=True)]
        if self.vectors:
            rows = item_vectors(self.bundle.similarity, output).cpu().numpy()
            answers = [replace(answer, vector=row) for answer, row in zip(answers, rows, strict=True)]
        return [answer if sound else NO_NUMBER for answer, sound in zip(answers, finite, strict=True)]

    def _unknown(self, logits: Mapping[str, Tensor], prepared: PreparedBatch) -> list[bool]:
        """Which of the readable items look like nothing the model was trained on."""
        inputs = [names for names in prepared.inputs if names]
        novelty = self.bundle.novelty
        return [False] * len(inputs) if novelty is None else novelty.unknown(logits, inputs)

    def _picture(self, item: Item) -> tuple[Pixels | None, Problem | None]:
        """(pixels, None), or (None, why not)."""
        if item.image is None or "image" not in self.bundle.tagger.modalities:
            return None, item.picture_problem
        try:
            return self._decode(item.image), None
        except (PictureError, PictureRefused) as error:
            return None, error.problem
        except FileNotFoundError:
            return None, Problem(Code.IMAGE_NOT_FOUND, "no such file")
        except OSError as error:
            return None, Problem(Code.IMAGE_READ_FAILED, str(error.strerror or error))

    def _decode(self, picture: Picture) -> Pixels:
        config = self.bundle.preprocess
        if isinstance(picture, Image.Image):
            return fit(upright_rgb(picture), config)
        if isinstance(picture, StoredPicture):
            return decode_picture(picture.read(), config)
        encoded = picture if isinstance(picture, bytes) else read_encoded(Path(picture), config)
        return decode_picture(encoded, config)

    def _titles(self, items: list[Item]) -> EncodedTitles:
        missing = self.bundle.columns.missing_titles
        stripped = [(item.title or "").strip() for item in items]
        return self.bundle.titles.encode([None if title in missing else title for title in stripped])

    def _batch(
        self,
        pictures: list[Pixels | None],
        titles: EncodedTitles,
        rows: npt.NDArray[np.int64],
        tabular: TabularArrays,
    ) -> Batch:
        size = self.bundle.preprocess
        pixels = np.zeros((len(pictures), size.height, size.width, 3), dtype=np.uint8)
        for i, picture in enumerate(pictures):
            if picture is not None:
                pixels[i] = picture
        has_image = np.array([picture is not None for picture in pictures])
        return make_batch(pixels, has_image, titles, rows, tabular, labels={})


@contextmanager
def _threads(count: int) -> Iterator[tuple[ThreadPoolExecutor, int]]:
    """So many threads, in each of which torch computes on one core; what waits for them at the end is dropped."""
    pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool, count
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(count)  # what a thread sets for itself is also the default of threads to come


def load_bundle(folder: str | Path, batch_size: int = 64, precision: str = "32-true") -> TaggingEngine:
    """A bundle, ready to tag. Raises `fashionmt.errors.UserError` where it is not whole, safe and known."""
    engine = TaggingEngine(read_bundle(Path(folder)), batch_size, precision)
    engine.mark = BundleMark(str(folder), bundle_digest(Path(folder)))
    return engine
