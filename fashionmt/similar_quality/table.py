"""The figures as Markdown."""

from collections.abc import Mapping

from fashionmt.bootstrap import Estimate
from fashionmt.similar_quality.evaluation import METRICS, Evaluation, Figures, K

HEADER = ("query", "by", *METRICS, "own product found", "hubness", "never found")


def markdown(evaluation: Evaluation, figures: Mapping[str, Mapping[str, Figures]], relevance: str) -> str:
    """`figures`: as `evaluate` gives them; `relevance`: in words, what makes two items alike."""
    judged = len(evaluation.judged)
    lines = [
        f"Gallery: {judged:,} items with all their inputs. Relevant: {relevance}; items of a query's own product (the "
        "same letters-and-digits title, or the same picture) are left out. With 95 % intervals, families drawn.",
        "",
        "| " + " | ".join(HEADER) + " |",
        "|" + " --- |" * 2 + " ---: |" * (len(HEADER) - 2),
    ]
    for kind, by_name in figures.items():
        lines += [_line(kind, name, found) for name, found in by_name.items()]
    lines.append("")
    for kind in figures:
        told = ", ".join(f"{count:,} {what}" for what, count in evaluation.counts(kind).items())
        lines.append(f"- {kind}: {told}; a perfect ranking's Recall@{K} is {evaluation.best_recall(kind):.4f}")
    lines += [
        "",
        f"Own product found: queries that have it among the first {K} where it is not left out. Hubness: the skewness "
        f"of how often an item is among the first {K}; never found: items that are so for no query.",
        "",
    ]
    return "\n".join(lines)


def _line(kind: str, name: str, found: Figures) -> str:
    cells = [_interval(found.metrics[metric]) for metric in METRICS]
    cells += [_interval(found.itself), f"{found.hubs.skewness:.2f}", f"{found.hubs.never:.1%}"]
    return "| " + " | ".join([kind, name, *cells]) + " |"


def _interval(estimate: Estimate) -> str:
    if estimate.value is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.4f}"
    return f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"
