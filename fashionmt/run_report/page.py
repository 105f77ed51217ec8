"""The page: every section's content, and the template that lays it out."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from fashionmt.attributes import LabelSpace
from fashionmt.pages import render
from fashionmt.run_report import figures
from fashionmt.run_report.cards import Card, suspect_cards, worst_mistakes
from fashionmt.run_report.confusion import Confusion, Pair
from fashionmt.run_report.content import ReportContent
from fashionmt.run_report.projection import choose_items, project
from fashionmt.run_report.suspects import Suspect, find_suspects, save_suspects

TEMPLATE = Path(__file__).with_name("report.html.jinja")
SUSPECTS = "label_suspects.csv"
FEW = 10
"""Training items: a class with fewer is in the tail."""


@dataclass(frozen=True)
class Section:
    """What the report shows of one attribute."""

    name: str
    space: LabelSpace
    train_counts: pd.Series
    labelled: int
    """Test items with a label."""
    held_out: int
    """Validation and test items with a label."""
    mistakes: int
    distribution: Markup
    confusion: Markup | None
    pairs: list[Pair]
    never_answered: dict[str, int]
    confidence: Markup | None
    worst: list[Card]
    suspects: int
    suspect_cards: list[Card]

    @property
    def tail(self) -> int:
        """Learned classes with few training items."""
        return int((self.train_counts.iloc[: len(self.space)] < FEW).sum())


def write_report(path: Path, content: ReportContent) -> None:
    """Write the report to `path`, one HTML file that needs no other, and `label_suspects.csv` beside it."""
    parts = (content.validation, content.test)
    suspects = {name: find_suspects(parts, space) for name, space in content.spaces.items()}
    html = _render(content, {name: _section(content, name, found) for name, found in suspects.items()})
    save_suspects((suspect for found in suspects.values() for suspect in found), path.with_name(SUSPECTS))
    unfinished = path.with_name(f".{path.name}.tmp")
    unfinished.write_text(html, encoding="utf-8")
    unfinished.replace(path)


def _section(content: ReportContent, name: str, suspects: list[Suspect]) -> Section:
    space, head, counts = content.spaces[name], content.test.heads[name], content.train_counts[name]
    confusion = Confusion.of(head, space)
    return Section(
        name=name,
        space=space,
        train_counts=pd.Series(counts, index=list(space.every_class)),
        labelled=int(head.labelled.sum()),
        held_out=sum(int(part.heads[name].labelled.sum()) for part in (content.validation, content.test)),
        mistakes=int(head.wrong.sum()),
        distribution=figures.distribution(counts, space),
        confusion=figures.confusion_map(confusion, space),
        pairs=confusion.worst_pairs(),
        never_answered=confusion.never_answered(),
        confidence=figures.confidence_plots(head, name),
        worst=worst_mistakes(content.test, space),
        suspects=len(suspects),
        suspect_cards=suspect_cards(suspects),
    )


def _render(content: ReportContent, sections: dict[str, Section]) -> str:
    return render(
        TEMPLATE,
        content=content,
        sections=sections.values(),
        suspects_file=SUSPECTS,
        few=FEW,
        epochs=len(content.epochs),
        loss=figures.loss_curves(content.epochs, list(content.spaces)),
        scores=figures.score_curves(content.epochs, list(content.spaces)),
        maps=_maps(content),
        mapped_items=len(choose_items(len(content.embedding))),
    )


def _maps(content: ReportContent) -> Markup | None:
    """Coloured by the coarsest attribute of more than two classes, and by the finest one."""
    by_size = sorted(content.spaces.values(), key=len)
    coarsest = next((space for space in by_size if len(space) > 2), by_size[0])
    chosen = choose_items(len(content.embedding))
    shown = {space.attribute: space for space in (coarsest, by_size[-1])}
    labels = [(space, content.test.heads[name].labels[chosen]) for name, space in shown.items()]
    return figures.embedding_maps(list(project(content.embedding[chosen])), labels)
