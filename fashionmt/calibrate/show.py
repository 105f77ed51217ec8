"""What a calibration tells people, on stderr."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from fashionmt.calibrate.labelled import Labelled
from fashionmt.inference.show import console, tell
from fashionmt.inference.stated import WHOLE

SHOWN = 5


def show_result(
    labelled: Labelled, fitted: Mapping[str, frozenset[str]], before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    """What was read and fitted; accepted and right, before and after, of items that were not fitted to.

    Args:
        fitted: by view, the attributes that were fitted.
        before: what `score_decoded` gives of the bundle's own decoders.
        after: the same of those that were fitted.
    """
    account = labelled.account
    unread = account.unread.total()
    tell(
        f"{account.rows} rows: {len(labelled)} with labels, {account.unlabelled} without, {unread} unread",
        *account.lines(),
        f"Those with labels are of {labelled.families} families: each has one title, or one picture",
        *_foreign(labelled),
        *_kept(labelled, fitted),
    )
    table = Table(
        "attribute", "labels", "right", "stated", "accepted before (right)", "now (right)", "calibration error"
    )
    for name, row in after["attributes"].items():
        old = before["attributes"][name]
        table.add_row(name, str(row["items"]), _percent(row["accuracy"]), *_decided(old, row), _errors(old, row))
    every = _decided(before.get("item"), after["item"])
    table.add_row(WHOLE, str(len(labelled)), _percent(after["exact_match"]), *every)
    console().print(table)


def _decided(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> tuple[str, str, str]:
    return _percent(after["target_accuracy"]), "-" if before is None else _accepted(before), _accepted(after)


def _accepted(row: Mapping[str, Any]) -> str:
    if not row.get("accepted"):
        return "0%"
    return f"{row['accepted']:.1%} ({row['accepted_accuracy']:.1%})"


def _errors(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    return " to ".join("-" if row["ece"] is None else f"{row['ece']:.3f}" for row in (before, after))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _foreign(labelled: Labelled) -> list[str]:
    """Labels that the model does not know: each is a mistake."""
    lines = []
    for name, space in labelled.spaces.items():
        if count := len(space.unlearned):
            some = ", ".join(space.unlearned[:SHOWN]) + (", ..." if count > SHOWN else "")
            what = f"{count} label{'s' if count > 1 else ''} that the model does not know, each item a mistake"
            lines.append(f"{name}: {what}: {some}")
    return lines


def _kept(labelled: Labelled, fitted: Mapping[str, frozenset[str]]) -> list[str]:
    """What stays as it was, for want of labels."""
    lines = []
    for view, answers in labelled.by_view().items():
        kept = [name for name in labelled.spaces if name not in fitted[view]]
        if kept:
            told = f"by {view}, {len(answers)} items: too few labels, kept as it was: {', '.join(kept)}"
            # Its threshold was chosen for a product of confidences of which some are others now.
            whole = "; no item is accepted as a whole until they are labelled too" if fitted[view] else ""
            lines.append(f"{told}{whole}")
    return lines
