"""What the commands about similar items tell people, on stderr."""

from pathlib import Path

from rich.table import Table

from fashionmt.inference.show import console, tell
from fashionmt.inference.similar import SimilarItems
from fashionmt.item_index import Added, BundleMark, ItemIndex
from fashionmt.item_index.description import Description

LONGEST_TITLE = 48


def show_index(folder: Path, added: Added, mark: BundleMark) -> None:
    """What came into an index, and how to ask it."""
    counts = {
        "added": added.added,
        "in an older one's place": added.replaced,
        "there already, just so": added.same,
        "left out, as their id is there already (similar.existing=replace takes them)": added.refused,
        "left out, as an earlier row has their id": added.repeated,
    }
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    tell(f"index: {told or 'nothing added'}", f"index: {added.items} items in {folder}, of the bundle {mark.name}")
    tell(f"ask it: python predict.py task=similar index={folder}")


def show_approximate(description: Description) -> None:
    """What an approximate search finds of the exact one's."""
    if (made := description.approximate) is not None:
        found = f"{made.recall:.4f} of the ten nearest, measured with {made.queries} items"
        tell(f"approximate search: {made.probes} of {made.lists} lists a query, which hold {found}")


def show_asking(index: ItemIndex) -> None:
    """What can be asked, where nothing was."""
    tell(
        f"index: {len(index)} items in {index.folder}, of the bundle {index.description.bundle.name}",
        "no query was given. Ask with one of:",
        "  similar.id=<id of an item>",
        "  similar.image=<file of a picture>, similar.words='<words>', or both (similar.image_weight=0.7)",
        "  similar.queries=<catalogue> output=<file.csv>, for all items of a file",
        "and narrow it with similar.k=5 similar.filters.<attribute>='<value>' similar.mmr=0.7; similar.html=sheet.html "
        "shows the pictures",
        "for example:",
    )


def show_answer(answer: SimilarItems) -> None:
    """The hits as a table."""
    query = answer.query
    named = " ".join(str(query[key]) for key in ("id", "title", "image") if query.get(key))
    console().print(_table(answer, f"like {named}"))
    for note in answer.notes:
        tell(f"note: {note}")


def _table(answer: SimilarItems, title: str) -> Table:
    table = Table("", "id", "cosine", "title", "the same", "drawn by", title=title, title_justify="left")
    for hit in answer.hits:
        shown = hit.title or ""
        cut = shown if len(shown) <= LONGEST_TITLE else f"{shown[: LONGEST_TITLE - 3]}..."
        drawn = "" if hit.drawn_by is None else {"image": "picture", "text": "words"}[hit.drawn_by]
        same = "all" if len(hit.agree) == len(hit.attributes) else ", ".join(hit.agree)
        table.add_row(str(hit.rank), hit.id, f"{hit.score:.4f}", cut, same, drawn)
    return table
