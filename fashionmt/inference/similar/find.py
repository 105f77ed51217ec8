"""Searches an index with queries, and says of each hit why it is there.

Q queries, E numbers of a vector.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from fashionmt.errors import UserError
from fashionmt.inference.similar.answers import Hit, InputMatch, Query, SimilarItems, Wanted
from fashionmt.inference.similar.asked import Asked, Tag, ask
from fashionmt.inference.similar.pictures import IndexPictures
from fashionmt.item_index import ItemIndex, Ranked, search
from fashionmt.item_index.filters import Mask, mask_of_filters, mask_of_stock
from fashionmt.problems import Problem


def find_similar(tag: Tag, index: ItemIndex, query: Query, wanted: Wanted, images: str | None = None) -> SimilarItems:
    """The answer to one query. Raises `UserError` where it cannot be read, or what is wanted is unknown."""
    with IndexPictures(index, images) as pictures:
        asked = ask(tag, index, [query], pictures)[0]
    if isinstance(asked, Problem):
        thing = f"picture {query.image}" if isinstance(query.image, str) and query.image else "query"
        raise UserError(thing, f"{asked.code}: {asked.message}", "Give another picture, or words")
    return similar_to(index, [asked], wanted)[0]


def similar_to(index: ItemIndex, asked: Sequence[Asked], wanted: Wanted) -> list[SimilarItems]:
    """The answers to queries that were read. Raises `UserError` where what is wanted is unknown."""
    allowed = _allowed(index, wanted)
    vectors = torch.stack([each.vector for each in asked]) if asked else torch.zeros(0, index.vectors.shape[1])
    own = [[each.row] if each.row is not None else [] for each in asked]
    found = search(index, vectors, wanted.k, allowed, own, wanted.duplicates, wanted.mmr)
    return [_answer(index, each, ranked, wanted) for each, ranked in zip(asked, found, strict=True)]


def _allowed(index: ItemIndex, wanted: Wanted) -> Mask | None:
    masks = [mask_of_filters(index, wanted.filters)] if wanted.filters else []
    if wanted.in_stock is not None:
        masks.append(mask_of_stock(index, wanted.in_stock))
    if not masks:
        return None
    return masks[0] & masks[-1]


def _answer(index: ItemIndex, asked: Asked, ranked: Ranked, wanted: Wanted) -> SimilarItems:
    matches = {name: _matches(index, vector, ranked) for name, vector in asked.alone.items()}
    hits = []
    for place, (row, score) in enumerate(zip(ranked.rows.tolist(), ranked.scores.tolist(), strict=True)):
        values = index.values(row)
        inputs = {name: each[place] for name, each in matches.items()}
        agree = tuple(name for name, value in values.items() if value == asked.values.get(name))
        title = index.column("title")[row]
        drawn_by = _strongest(inputs, asked)
        hits.append(Hit(place + 1, index.ids[row], score, title, values, agree, inputs, drawn_by))
    notes = asked.notes
    if len(hits) < wanted.k:
        notes = (*notes, f"{wanted.k} asked for, {len(hits)} to be found among the {len(index)} items of the index")
    return SimilarItems(asked.told, tuple(hits), notes)


def _matches(index: ItemIndex, vector: Tensor, ranked: Ranked) -> list[InputMatch]:
    """Of each hit with one input by itself."""
    mean, covariance = index.usual
    by_itself = vector.double()
    deviation = float((by_itself @ covariance @ by_itself).clamp_min(1e-12).sqrt())
    cosines = index.vectors[torch.from_numpy(ranked.rows)].double() @ by_itself
    above = (cosines - mean @ by_itself) / deviation
    return [InputMatch(*pair) for pair in zip(cosines.tolist(), above.tolist(), strict=True)]


def _strongest(inputs: dict[str, InputMatch], asked: Asked) -> str | None:
    """The input that a hit is farthest above the usual by, times its weight where it has one."""
    return max(inputs, key=lambda name: asked.weights.get(name, 1) * inputs[name].above) if inputs else None
