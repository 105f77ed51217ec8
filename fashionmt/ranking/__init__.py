"""Rankings: how they are made and how good they are."""
