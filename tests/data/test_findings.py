"""Findings: every one is counted, some are named."""

from fashionmt.data.findings import EXAMPLES, Findings


def test_every_finding_is_counted_and_the_first_are_named() -> None:
    findings = Findings()
    for i in range(EXAMPLES + 3):
        findings.add("holes", "filled", f"item{i}")
    findings.add("holes", "kept", "other", count=4)
    assert findings.to_json() == [
        {"what": "holes", "action": "filled", "count": 8, "examples": ["item0", "item1", "item2", "item3", "item4"]},
        {"what": "holes", "action": "kept", "count": 4, "examples": ["other"]},
    ]
    assert findings.lines() == [
        "8 holes: filled (item0, item1, item2, item3, item4, ...)",
        "4 holes: kept (other)",
    ]


def test_no_finding_is_no_line() -> None:
    assert Findings().to_json() == []
    assert Findings().lines() == []
