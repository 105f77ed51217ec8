"""The sums of the parts' statistics, and what they say."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from fashionmt.decoding import Thresholds

WHOLE = "all of them"


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


def total_lines(totals: Mapping[str, Any], thresholds: Thresholds | None) -> list[str]:
    """For people: what was repaired, read without its picture, quarantined, accepted."""
    lines = [f"  {count} {what}" for what, count in totals["findings"].items()]
    if pictures := totals["picture_problems"]:
        lines.append(f"tagged without their picture: {_counted(pictures)}")
    if unknown := totals["unknown"]:
        lines.append(f"unknown: {unknown} look like nothing the model was trained on, and are for review")
    if quarantined := totals["quarantined"]:
        lines.append(f"quarantined: {_counted(quarantined)}")
    return lines + _decisions(totals, thresholds)


def _counted(codes: Mapping[str, int]) -> str:
    return f"{sum(codes.values())} ({', '.join(f'{code} {count}' for code, count in Counter(codes).most_common())})"


def _decisions(totals: Mapping[str, Any], thresholds: Thresholds | None) -> list[str]:
    """What is accepted, and what never is."""
    if thresholds is None:
        return ["accepted: nothing, as the bundle has no thresholds"]
    if not totals["tagged"]:
        return []
    counts = totals["accepted"] | {WHOLE: totals["items_accepted"]}
    each = {**thresholds.heads, WHOLE: thresholds.item}
    shares = [f"{name} {counts[name] / totals['tagged']:.0%}" for name in counts if each[name].confidence is not None]
    never = [f"{name} ({each[name].target_accuracy:.4g})" for name in counts if each[name].confidence is None]
    lines = [f"accepted: {', '.join(shares)}; the rest is for review"] if shares else []
    if never:
        lines.append(f"for review, as validation showed no threshold for the accuracy asked: {', '.join(never)}")
    return lines
