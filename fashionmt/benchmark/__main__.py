"""Render the tables again: `python -m fashionmt.benchmark runs/benchmark`."""

import argparse
import sys
from pathlib import Path

from fashionmt.benchmark.table import write_tables

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m fashionmt.benchmark", description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder that holds the rows")
    folder = parser.parse_args().folder
    if not folder.is_dir():
        parser.error(f"{folder}: no such folder")
    for path in write_tables(folder):
        sys.stdout.write(f"{path}\n")
