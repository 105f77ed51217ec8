"""From the heads' logits to an item's tags: the model's answers, what was known already, and what a person should see.

B items, C classes of an attribute.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fashionmt.attributes import MISSING
from fashionmt.bundle import Bundle
from fashionmt.decoding import Decoded
from fashionmt.inference.items import Item, Tag

ALTERNATIVES = 3
UNKNOWN, LOW, NO_THRESHOLD = "unknown", "low_confidence", "no_threshold"
CONTRADICTS, UNKNOWN_VALUE = "contradicts", "unknown_value"
"""Why a person should look: an item like none in training, an answer below its threshold, one that no confidence is
enough for, a value that the model by itself is sure is another, a given one that the model has no class for."""


@dataclass(frozen=True)
class Answer:
    """For one item."""

    tags: dict[str, Tag]
    confidence: float | None
    """That all tags that were not given are right; None where all were."""
    accepted: bool
    reasons: tuple[str, ...]
    embedding: npt.NDArray[np.float32] | None = field(default=None, compare=False)
    """(D,), where it is asked for."""
    vector: npt.NDArray[np.float32] | None = field(default=None, compare=False)
    """(E,), where it is asked for."""


class Answerer:
    """A bundle's decoders at work."""

    def __init__(self, bundle: Bundle) -> None:
        self.spaces = bundle.spaces
        self.decoders = bundle.decoders
        taxonomy = bundle.decoder.taxonomy
        self.together = () if taxonomy is None else taxonomy.attributes

    def __call__(
        self, logits: Mapping[str, Tensor], items: Sequence[Item], views: Sequence[str], unknown: Sequence[bool]
    ) -> list[Answer]:
        """`logits`: attribute -> finite float (B, C), on the CPU, of B `items`. `views`: what each of them shows.
        `unknown`: which of them look like nothing the model was trained on: none of their answers is accepted."""
        items = [self._less_missing(item) for item in items]
        known = self._known(items)
        decoded = self.decoders(logits, views, known)
        unaided = self.decoders(logits, views) if known else decoded
        columns = {name: self._tags(name, decoded) for name in logits}
        doubts = {name: self._doubts(name, unaided) for name in self._touched(known)}
        confidences, accepted = decoded.item_confidence.tolist(), decoded.item_accepted.tolist()
        answers = []
        for row, (item, sure, enough) in enumerate(zip(items, confidences, accepted, strict=True)):
            tags = {name: column[row] for name, column in columns.items()}
            others = {name: column[row] for name, column in doubts.items()}
            answer = self._answer(item, views[row], tags, others, sure, enough)
            answers.append(_doubted(answer) if unknown[row] else answer)
        return answers

    def _less_missing(self, item: Item) -> Item:
        """Without the given values that stand for none."""
        given = {n: v for n, v in item.given.items() if n not in self.spaces or v not in self.spaces[n].missing}
        return item if len(given) == len(item.given) else replace(item, given=given)

    def _known(self, items: Sequence[Item]) -> dict[str, Tensor]:
        """Attribute -> int64 (B,): the class that was given, `MISSING` where there is none that the model has. Without
        the attributes that are given nowhere."""
        classes = {name: {value: i for i, value in enumerate(space.classes)} for name, space in self.spaces.items()}
        given = {
            name: torch.tensor([classes[name].get(item.given.get(name, ""), MISSING) for item in items])
            for name in self.spaces
            if any(name in item.given for item in items)
        }
        return {name: indices for name, indices in given.items() if (indices != MISSING).any()}

    def _touched(self, known: Mapping[str, Tensor]) -> list[str]:
        """The attributes that are given somewhere, and those whose answers go with theirs."""
        together = self.together if any(name in known for name in self.together) else ()
        return list(dict.fromkeys([*known, *together]))

    def _tags(self, name: str, decoded: Decoded) -> list[Tag]:
        """The tags of one head, item by item."""
        classes, answers = self.spaces[name].classes, decoded.answers[name]
        others = decoded.log_probabilities[name].exp().scatter(1, answers.unsqueeze(1), -1)
        best = others.topk(min(ALTERNATIVES, len(classes) - 1), dim=1)
        confidence, accepted = decoded.confidence[name], decoded.accepted[name]
        columns = (column.tolist() for column in (answers, confidence, accepted, best.indices, best.values))
        return [
            Tag(classes[i], sure, enough, tuple((classes[j], p) for j, p in zip(js, ps, strict=True)))
            for i, sure, enough, js, ps in zip(*columns, strict=True)
        ]

    def _doubts(self, name: str, unaided: Decoded) -> list[str | None]:
        """What the model would answer by itself with enough confidence to be accepted; None where with less."""
        enough = unaided.accepted[name].tolist()
        answers, classes = unaided.answers[name].tolist(), self.spaces[name].classes
        return [classes[i] if sure else None for i, sure in zip(answers, enough, strict=True)]

    def _answer(
        self,
        item: Item,
        view: str,
        tags: dict[str, Tag],
        doubts: Mapping[str, str | None],
        confidence: float,
        accepted: bool,
    ) -> Answer:
        """The model's answer with the values that were given in their places."""
        misled = self._misled(item, tags, doubts)
        tags |= {name: replace(tags[name], accepted=False) for name in misled}
        doubtful = [name for name, tag in tags.items() if name not in item.given and not tag.accepted]
        reasons = [self._too_little(view, name, misled.get(name)) for name in doubtful]
        for name, value in item.given.items():
            reason = self._reason(name, value, doubts.get(name))
            reasons += [] if reason is None else [reason]
            tags[name] = Tag(value, None, reason is None, given=True)
        predicted = any(not tag.given for tag in tags.values())
        contradicted = any(not tag.accepted for tag in tags.values() if tag.given)
        return Answer(
            tags,
            confidence if predicted else None,
            (accepted or not predicted) and not contradicted,
            tuple(reasons),
        )

    def _misled(self, item: Item, tags: Mapping[str, Tag], doubts: Mapping[str, str | None]) -> dict[str, str | None]:
        """Attribute -> what the model would be sure of by itself, of the answers that go with a given value which it
        contradicts, and of which it is not as sure by itself."""
        given = [name for name in self.together if name in item.given]
        if not any(self._contradicts(name, item.given[name], doubts.get(name)) for name in given):
            return {}
        others = [name for name in self.together if name not in item.given]
        return {name: doubts[name] for name in others if doubts[name] != tags[name].value}

    def _too_little(self, view: str, name: str, doubt: str | None) -> str:
        """Why an answer was not accepted. `doubt`: the other one that the model is sure of by itself."""
        if doubt is not None:
            return f"{CONTRADICTS}:{name}={doubt}"
        thresholds = self.decoders.of(view).thresholds
        never = thresholds is None or thresholds.heads[name].confidence is None
        return f"{NO_THRESHOLD if never else LOW}:{name}"

    def _reason(self, name: str, value: str, doubt: str | None) -> str | None:
        """Why a person should look at a value that was given."""
        if value not in self.spaces[name].classes:
            return f"{UNKNOWN_VALUE}:{name}"
        return f"{CONTRADICTS}:{name}={doubt}" if self._contradicts(name, value, doubt) else None

    def _contradicts(self, name: str, value: str, doubt: str | None) -> bool:
        """Whether the model is sure of another value than the given one, which it knows."""
        return value in self.spaces[name].classes and doubt not in (None, value)


def _doubted(answer: Answer) -> Answer:
    """The answer for an item of which the model can know nothing."""
    tags = {name: tag if tag.given else replace(tag, accepted=False) for name, tag in answer.tags.items()}
    return replace(answer, tags=tags, accepted=False, reasons=(UNKNOWN, *answer.reasons))
