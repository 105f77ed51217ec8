"""What was found in a catalogue and what was done about it: counted, with examples, nothing lost in silence."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

EXAMPLES = 5


@dataclass
class Findings:
    """A tally of (what, action): `action` says what became of the thing (repaired, masked, set aside, kept)."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, what: str, action: str, example: str, count: int = 1) -> None:
        """Count one more `what`, and keep the first few examples by name."""
        self.counts[what, action] += count
        named = self.examples.setdefault((what, action), [])
        if len(named) < EXAMPLES:
            named.append(example)

    def to_json(self) -> list[dict[str, Any]]:
        """One record a finding, in the order found."""
        return [
            {"what": what, "action": action, "count": count, "examples": self.examples[what, action]}
            for (what, action), count in self.counts.items()
        ]

    def lines(self) -> list[str]:
        """One line a finding, for people."""
        return [
            f"{count} {what}: {action} ({', '.join(self.examples[what, action])}{', ...' if count > EXAMPLES else ''})"
            for (what, action), count in self.counts.items()
        ]
