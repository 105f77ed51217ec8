"""Label spaces, learned from the training rows and never typed in."""

from collections import Counter
from collections.abc import Sequence

from fashionmt.attributes import LabelSpace
from fashionmt.config import DataConfig
from fashionmt.data.findings import Findings
from fashionmt.data.rows import Rows
from fashionmt.errors import UserError

OTHER = "Other"
Labels = dict[str, list[str | None]]
"""Attribute -> each row's label, or None."""


def learn_label_spaces(
    labels: Labels, train: Rows, config: DataConfig, findings: Findings
) -> tuple[dict[str, LabelSpace], Labels]:
    """The label space of every attribute, and the labels with rare ones renamed if the config's `rare` is `other`.

    A class with fewer than its `min_count` training rows is too rare to learn. With `mask` its items have no label to
    learn from and every one of them is a mistake in evaluation; with `other` they are the class "Other". Raises
    `UserError` for an attribute with fewer than two classes to learn.
    """
    min_count = config.min_count
    spaces: dict[str, LabelSpace] = {}
    renamed: Labels = {}
    for attribute, column in labels.items():
        counts = Counter(column[row] for row in train if column[row] is not None)
        learned = {name for name, count in counts.items() if count >= min_count and name is not None}
        unlearned = sorted({name for name in column if name is not None} - learned)
        if config.rare == "other" and any(column[row] in unlearned for row in train):
            column = [OTHER if name in set(unlearned) else name for name in column]
            learned.add(OTHER)
            _report(attribute, unlearned, min_count, f"learned as {OTHER!r}", findings)
            unlearned = []
        else:
            _report(attribute, unlearned, min_count, "masked in the loss, mistakes in evaluation", findings)
        _check_learnable(attribute, column, train, learned, config)
        spaces[attribute] = LabelSpace(attribute, tuple(sorted(learned)), tuple(unlearned))
        renamed[attribute] = column
    return spaces, renamed


def _report(attribute: str, classes: Sequence[str], min_count: int, action: str, findings: Findings) -> None:
    for name in classes:
        findings.add(f"{attribute} classes with fewer than {min_count} training rows", action, name)


def _check_learnable(
    attribute: str, column: Sequence[str | None], train: Rows, learned: set[str], config: DataConfig
) -> None:
    classes = {column[row] for row in train} & learned
    if len(classes) >= 2:
        return
    wrong = f"only the class {classes.pop()!r}" if classes else "no class"
    raise UserError(
        f"attribute {attribute}",
        f"{wrong} with enough training rows: nothing to learn",
        f"Label more rows, lower data.min_count, or leave it out: {config.without(attribute)}",
    )
