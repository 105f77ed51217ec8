"""The report of a run: one HTML file, from plain arrays. It knows neither models nor trainers."""

from fashionmt.run_report.content import Head, HeldOut, ReportContent
from fashionmt.run_report.page import write_report

__all__ = ["Head", "HeldOut", "ReportContent", "write_report"]
