"""Rows of CSV, TSV, JSON Lines and Parquet files as texts, streamed, from any place, whatever their neighbours hold."""

from fashionmt.data.tables.row import MAX_FIELD, BadRow, Place, Scanned, TableRow
from fashionmt.data.tables.table import Table

__all__ = ["MAX_FIELD", "BadRow", "Place", "Scanned", "Table", "TableRow"]
