"""The report of a run: one HTML file, from plain arrays. It knows neither models nor trainers."""

from fashionmt.run_report.cards import worst_mistakes
from fashionmt.run_report.confusion import Confusion
from fashionmt.run_report.content import Head, HeldOut, ReportContent
from fashionmt.run_report.figures import confidence_plots
from fashionmt.run_report.page import write_report

__all__ = ["Confusion", "Head", "HeldOut", "ReportContent", "confidence_plots", "worst_mistakes", "write_report"]
