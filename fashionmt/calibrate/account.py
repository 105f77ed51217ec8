"""What became of the rows of a labelled catalogue: counted, nothing lost in silence."""

from collections import Counter
from dataclasses import dataclass, field

from fashionmt.data.splits import MOST_TITLES
from fashionmt.inference.catalogue_items import ReadItem
from fashionmt.inference.items import Item
from fashionmt.inference.quarantine import Record
from fashionmt.inference.totals import counted
from fashionmt.problems import Problem


@dataclass
class Account:
    """Counts of rows."""

    rows: int = 0
    unlabelled: int = 0
    """Those that were read, without any label."""
    unread: Counter[str] = field(default_factory=Counter)
    """Those that were not, or in which the tagger finds nothing to read: by code."""
    pictures: Counter[str] = field(default_factory=Counter)
    """Items with a label that were read without their picture: by code."""
    findings: Counter[str] = field(default_factory=Counter)
    """What was repaired, or read otherwise than it stands."""
    crowded: int = 0
    """Items with a label whose picture makes no family (`crowded_pictures`)."""

    def add(self, row: ReadItem | Record) -> Item | None:
        """Count a row; its item, where that has a label."""
        self.rows += 1
        if isinstance(row, Record):
            self.unread[str(row.code)] += 1
            return None
        self.findings.update(row.findings)
        if row.item.given:
            return row.item
        self.unlabelled += 1
        return None

    def add_picture(self, problem: Problem | None) -> None:
        """Count an item with a label, where its picture could not be read."""
        if problem is not None:
            self.pictures[str(problem.code)] += 1

    def lines(self) -> list[str]:
        """For people, less what there is none of."""
        lines = [f"  {count} {what}" for what, count in self.findings.items()]
        lines += [f"not read: {counted(self.unread)}"] if self.unread else []
        lines += [f"read without their picture: {counted(self.pictures)}"] if self.pictures else []
        if self.crowded:
            lines.append(f"{self.crowded} items show a picture of more than {MOST_TITLES} titles: no family made of it")
        return lines
