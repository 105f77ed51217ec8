"""From queries to the vectors that are searched with, and what reasons need to know of each.

E numbers of a vector.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from fashionmt.inference.items import Item, ItemTags
from fashionmt.inference.similar.answers import Query
from fashionmt.inference.similar.pictures import IndexPictures
from fashionmt.item_index import ItemIndex
from fashionmt.problems import Code, Problem

Tag = Callable[[Sequence[Item]], Sequence[ItemTags]]
"""Tags items, with their vectors."""
NOTHING = Problem(Code.NOTHING_TO_READ, "neither an id, nor a picture, nor words")
WHOLE = "whole"


@dataclass(frozen=True, eq=False)
class Asked:
    """A query that can be searched with."""

    vector: Tensor
    """(E,), of length 1."""
    values: Mapping[str, str]
    """Attribute -> value."""
    row: int | None
    """Of the index, where the query is an item of it."""
    told: dict[str, Any]
    """For people: what was asked."""
    alone: Mapping[str, Tensor] = field(default_factory=dict)
    """`image` and `text` -> the vector of this input by itself, (E,)."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Of the same, where they were given."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Plan:
    """The items that the model reads for one query."""

    query: Query
    row: int | None
    items: Mapping[str, Item]
    """`whole`, and each input by itself."""


def ask(
    tag: Tag, index: ItemIndex, queries: Sequence[Query], pictures: IndexPictures, reasons: bool = True
) -> list[Asked | Problem]:
    """Of each query, or what is wrong with it. Raises `UserError` for an id that the index has not.

    `reasons`: read each of a query's inputs by itself too, which reasons are made of.
    """
    plans = [_plan(index, query, pictures, reasons) for query in queries]
    items = [item for plan in plans for item in plan.items.values()]
    answers = iter(tag(items) if items else [])
    asked: list[Asked | Problem] = []
    for plan in plans:
        read = {name: next(answers) for name in plan.items}
        asked.append(_of_index(index, plan, read) if plan.query.id is not None else _from_outside(index, plan, read))
    return asked


def _plan(index: ItemIndex, query: Query, pictures: IndexPictures, reasons: bool) -> _Plan:
    if query.id is not None:
        row = index.row(query.id)
        title, picture = index.column("title")[row], pictures.of(row)
        return _Plan(query, row, _inputs(Item(title=title, image=picture)) if reasons else {})
    if query.item is not None:
        known = index.row(query.item.id) if query.item.id in index else None
        return _Plan(query, known, {WHOLE: query.item} | (_inputs(query.item) if reasons else {}))
    item = Item(title=query.words, image=query.image)
    alone = _inputs(item)
    return _Plan(query, None, {WHOLE: item} | alone if len(alone) > 1 else {WHOLE: item})


def _inputs(item: Item) -> dict[str, Item]:
    """Each input of an item by itself."""
    alone = {}
    if item.image is not None or item.picture_problem is not None:
        alone["image"] = Item(image=item.image, picture_problem=item.picture_problem)
    if item.title is not None and item.title.strip():
        alone["text"] = Item(title=item.title)
    return alone


def _of_index(index: ItemIndex, plan: _Plan, read: Mapping[str, ItemTags]) -> Asked:
    row = plan.row
    assert row is not None
    told = {"id": index.ids[row], "title": index.column("title")[row], "attributes": index.values(row)}
    notes = tuple(
        f"of {index.ids[row]} no {name} can be compared: {tags.problem.code}"
        for name, tags in read.items()
        if tags.problem is not None
    )
    return Asked(index.vectors[row], index.values(row), row, told, _vectors(read), notes=notes)


def _from_outside(index: ItemIndex, plan: _Plan, read: Mapping[str, ItemTags]) -> Asked | Problem:
    if not read:
        return NOTHING
    whole = read[WHOLE]
    query, alone = plan.query, _vectors(read)
    if query.item is None and (
        bad := next((tags.picture_problem for tags in read.values() if tags.picture_problem), None)
    ):
        return bad  # a picture that was given to be looked at
    if whole.problem is not None or whole.vector is None:
        return whole.problem or NOTHING
    values = {name: each.value for name, each in whole.tags.items()}
    title = query.words if query.item is None else query.item.title
    told: dict[str, Any] = {"id": query.item.id} if query.item is not None else {}
    told |= {"title": title, "inputs": list(whole.inputs), "attributes": values}
    vector, weights = torch.from_numpy(whole.vector), {}
    if query.item is None and len(alone) > 1:
        weights = {"image": query.image_weight, "text": round(1 - query.image_weight, 9)}
        vector = normalize(sum((weights[name] * alone[name] for name in alone), torch.zeros_like(vector)), dim=0)
        told["weights"] = weights
    if not alone:
        alone = {name: vector for name in whole.inputs[:1] if len(set(whole.inputs) - {"tabular"}) == 1}
    notes = () if whole.picture_problem is None else (f"read by its title alone: {whole.picture_problem.code}",)
    return Asked(vector, values, plan.row, told, alone, weights, notes)


def _vectors(read: Mapping[str, ItemTags]) -> dict[str, Tensor]:
    return {
        name: torch.from_numpy(tags.vector)
        for name, tags in read.items()
        if name != WHOLE and tags.vector is not None and tags.problem is None
    }
