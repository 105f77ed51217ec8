"""The page about a finished job: what was accepted, what has drifted, what a person should look at first."""

from fashionmt.inference.summary.page import write_summary

__all__ = ["write_summary"]
