"""The sums of the parts' statistics, and what they say."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from fashionmt.decoding import Decoders
from fashionmt.inference.stated import WHOLE, stated
from fashionmt.shown import NAMES


def sum_statistics(statistics: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Numbers are added, tables entry by entry."""
    total: dict[str, Any] = {}
    for each in statistics:
        total = _added(total, each)
    return total


def _added(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _added(one.get(name, {}), other.get(name, {}))
        if isinstance(one.get(name, other.get(name)), Mapping)
        else one.get(name, 0) + other.get(name, 0)
        for name in [*one, *(name for name in other if name not in one)]
    }


def total_lines(totals: Mapping[str, Any], decoders: Decoders) -> list[str]:
    """For people: what was repaired, read without its picture, quarantined, accepted."""
    lines = [f"  {count} {what}" for what, count in totals["findings"].items()]
    if pictures := totals["picture_problems"]:
        lines.append(f"tagged without their picture: {counted(pictures)}")
    if unknown := totals["unknown"]:
        lines.append(f"unknown: {unknown} look like nothing the model was trained on, and are for review")
    if quarantined := totals["quarantined"]:
        lines.append(f"quarantined: {counted(quarantined)}")
    return lines + _decisions(totals, decoders)


def counted(codes: Mapping[str, int]) -> str:
    """How many in all, and of which code."""
    return f"{sum(codes.values())} ({', '.join(f'{code} {count}' for code, count in Counter(codes).most_common())})"


def _decisions(totals: Mapping[str, Any], decoders: Decoders) -> list[str]:
    """What is accepted, and what never is."""
    all_of_them = stated(decoders, totals["shown"])
    if all_of_them is None:
        return ["accepted: nothing, as the bundle has no thresholds"]
    counts = totals["accepted"] | {WHOLE: totals["items_accepted"]}
    tagged = totals["tagged"]
    shares = [f"{name} {counts[name] / tagged:.0%}" for name in counts if tagged and all_of_them[name].reached]
    lines = [f"accepted: {', '.join(shares)}; for review: {totals['review']} of {tagged} items"] if shares else []
    for view, count in totals["shown"].items():
        if never := never_accepted(decoders, view):
            told = f" of {count} items by {NAMES[view]} alone" if view in decoders.alone else ""
            lines.append(f"never accepted{told}, as validation showed no threshold for the accuracy asked: {never}")
    return lines


def never_accepted(decoders: Decoders, view: str) -> str:
    """What is not, of items that show `view`, and at which accuracy; empty where all may be."""
    each = stated(decoders, [view]) or {}
    return ", ".join(f"{name} ({value.accuracy:.4g})" for name, value in each.items() if not value.reached)
