"""Tags items with a bundle: batches side by side, one a core, or the next ones prepared while a GPU works on one."""

import itertools
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fashionmt.batch import Batch
from fashionmt.bundle import Bundle, bundle_digest, read_bundle
from fashionmt.config import PredictConfig
from fashionmt.cores import a_thread_a_core
from fashionmt.inference.answers import Answer, Answerer
from fashionmt.inference.items import Item, ItemTags, Picture, item_of
from fashionmt.inference.preparing import PreparedBatch, Preparer
from fashionmt.inference.runtimes import Runtime, TorchRuntime, open_runtime
from fashionmt.inference.similar import Query, SimilarItems, Wanted, find_similar
from fashionmt.item_index import BundleMark, ItemIndex, check_bundle
from fashionmt.problems import Code, Problem
from fashionmt.shown import view_of
from fashionmt.similarity import item_vectors

NOTHING_READ = Problem(Code.NOTHING_TO_READ, "neither a picture nor a title that the model can read")
NO_NUMBER = Problem(Code.MODEL_NONFINITE, "the model's answer is no finite number")
AHEAD = 2
"""Batches in waiting besides those in work: enough to hide a slow one, little enough to hold in memory."""


class TaggingEngine:
    """A bundle at work."""

    def __init__(
        self,
        bundle: Bundle,
        batch_size: int = 64,
        runtime: Runtime | None = None,
        embeddings: bool = False,
        vectors: bool = False,
    ) -> None:
        """`runtime`: what computes the model; None: torch. `embeddings`, `vectors`: answers hold them."""
        self.bundle = bundle
        self.mark: BundleMark | None = None
        self.embeddings, self.vectors = embeddings, vectors
        self.batch_size = batch_size
        self.runtime = runtime or TorchRuntime(bundle.tagger)
        self._preparer, self._answerer = Preparer(bundle), Answerer(bundle)

    def tag(self, items: Iterable[Item | Mapping[str, Any]]) -> list[ItemTags]:
        """The tags of `items`, in order. An item may be a mapping with `id`, `title` and `image`."""
        return list(self.stream(item_of(item) for item in items))

    def stream(self, items: Iterable[Item]) -> Iterator[ItemTags]:
        """As `tag`, but lazily: a catalogue of any size in bounded memory.

        On the CPU each thread takes a batch from the pictures' bytes to the answers, on one core.
        """
        on_cpu = self.runtime.device.type == "cpu"
        source = iter(items)
        with a_thread_a_core() as (pool, count):
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
        k: int = 10,
        filters: Mapping[str, Any] | None = None,
        in_stock: str | Collection[str] | None = None,
        duplicates: bool = False,
        mmr: float | None = None,
    ) -> SimilarItems:
        """The items of an index most like one of its items, or a picture, words or both, or an item as `tag` takes it.

        `image_weight`: of the picture beside words. `images`: where the index's pictures lie now. The rest: as
        `Wanted`. Raises `UserError` where the query cannot be read or the index is another bundle's.
        """
        if self.mark is not None:
            check_bundle(index.folder, index.description, self.mark)
        query = Query(id, image, words, None if item is None else item_of(item), image_weight)
        wanted = Wanted(k, filters or {}, in_stock, duplicates, mmr)
        return find_similar(self.with_vectors().tag, index, query, wanted, images)

    def with_vectors(self) -> "TaggingEngine":
        """The same, whose answers hold vectors."""
        if self.vectors:
            return self
        return TaggingEngine(self.bundle, self.batch_size, self.runtime, self.embeddings, vectors=True)

    def prepare(self, items: list[Item]) -> PreparedBatch:
        """Decode and tokenise."""
        return self._preparer(items)

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
        output = self.runtime(batch)
        logits = {name: value.float().cpu() for name, value in output.logits.items()}
        finite = torch.stack([value.isfinite().all(1) for value in logits.values()]).all(0).tolist()
        readable = {name: value.nan_to_num() for name, value in logits.items()}
        views = [view_of(names) for names in prepared.inputs if names]
        answers = self._answerer(readable, prepared.readable, views, self._unknown(readable, views))
        if self.embeddings:
            rows = output.embedding.float().cpu().numpy()
            answers = [replace(answer, embedding=row) for answer, row in zip(answers, rows, strict=True)]
        if self.vectors:
            rows = item_vectors(self.bundle.similarity, output).cpu().numpy()
            answers = [replace(answer, vector=row) for answer, row in zip(answers, rows, strict=True)]
        return [answer if sound else NO_NUMBER for answer, sound in zip(answers, finite, strict=True)]

    def _unknown(self, logits: Mapping[str, Tensor], views: Sequence[str]) -> list[bool]:
        """Which of the readable items look like nothing the model was trained on."""
        novelty = self.bundle.novelty
        return [False] * len(views) if novelty is None else novelty.unknown(logits, views)


def engine_of(config: PredictConfig, bundle: Bundle) -> TaggingEngine:
    """`config.bundle`, which was read already, at work as the config says. Raises as `open_runtime`."""
    runtime = open_runtime(config.runtime, config.precision, Path(str(config.bundle)), bundle)
    return TaggingEngine(bundle, config.batch_size, runtime, config.embeddings, config.vectors)


def load_bundle(
    folder: str | Path, batch_size: int = 64, precision: str = "32-true", runtime: str = "torch"
) -> TaggingEngine:
    """A bundle, ready to tag. Raises `fashionmt.errors.UserError` where it is not whole, safe and known.

    `precision`, `runtime`: as `predict.py` has them.
    """
    bundle = read_bundle(Path(folder), build=runtime == "torch")
    engine = TaggingEngine(bundle, batch_size, open_runtime(runtime, precision, Path(folder), bundle))
    engine.mark = BundleMark(str(folder), bundle_digest(Path(folder)))
    return engine
