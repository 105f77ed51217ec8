"""How good similar items are, judged by the labels of a run's test items, and beside what they must beat."""
