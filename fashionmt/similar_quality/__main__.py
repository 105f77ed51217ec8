"""How good a run's similar items are: `python -m fashionmt.similar_quality runs/train/<...> runs/similar_quality`.

Writes `table.md` and `sheet.html` into a new folder. Items are alike where they agree in the attributes that
`--alike` names; queries are the test items by the picture alone, by the title alone, and by both.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from fashionmt.bundle import read_bundle
from fashionmt.data.picture_cache import NO_ROW
from fashionmt.errors import UserError
from fashionmt.finished_run import read_run
from fashionmt.similar_quality.entrants import KINDS, Entrant, TitleWords
from fashionmt.similar_quality.evaluation import Evaluation, evaluate
from fashionmt.similar_quality.from_tagger import vectors_of
from fashionmt.similar_quality.judged import Judged
from fashionmt.similar_quality.sheet import Sheet, draw_queries
from fashionmt.similar_quality.table import markdown

QUERIES = 10


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m fashionmt.similar_quality", description=__doc__)
    parser.add_argument("run", type=Path, help="a training run's folder")
    parser.add_argument("output", type=Path, help="a new folder")
    parser.add_argument("--bundle", type=Path, help="a bundle of that run, with another similarity head")
    parser.add_argument("--catalogue", help="where the catalogue lies now")
    parser.add_argument("--images", help="where its pictures lie now")
    parser.add_argument("--alike", help="attributes that make items similar, a,b,c; by default the run's data.alike")
    parser.add_argument("--part", default="test", choices=("validation", "test"), help="by default test")
    parser.add_argument("--seed", type=int, default=0, help="of the queries that are shown, and of untrained weights")
    options = parser.parse_args()
    try:
        table = measure(options)
    except UserError as error:
        parser.error(str(error))
    sys.stdout.write(f"{table}\nsheet: {options.output / 'sheet.html'}\n")


def measure(options: argparse.Namespace) -> str:
    """Measure and write both files; returns the table. Raises `UserError`."""
    if options.output.exists():
        raise UserError(str(options.output), "is there already", "Name a new folder")
    run = read_run(options.run, options.catalogue, options.images)
    alike = run.alike(options.alike)
    bundle = read_bundle(options.bundle) if options.bundle is not None else run.bundle
    rows = run.data.split.parts()[options.part]
    judged = Judged({name: run.data.items.labels[name][rows] for name in alike}, run.data.families[rows])
    titles = [run.data.raw_titles[row] for row in rows]
    pictured, titled = run.data.items.pictures.row[rows] != NO_ROW, np.array([title is not None for title in titles])
    evaluation = Evaluation(judged, {"picture": pictured, "title": titled, "both": pictured | titled})
    entrants: list[Entrant] = [*vectors_of(bundle, run.data.dataset(options.part), options.seed)]
    if "text" in bundle.modalities:
        entrants.append(TitleWords([run.data.raw_titles[row] for row in run.data.split.train], titles))
    figures = evaluate(evaluation, entrants, KINDS)
    table = markdown(evaluation, figures, f"the same {', '.join(alike)}")
    options.output.mkdir(parents=True)
    (options.output / "table.md").write_text(table, encoding="utf-8")
    name = entrants[0].name
    own = {kind: by_name[name] for kind, by_name in figures.items() if name in by_name}
    queries = draw_queries(evaluation, QUERIES, options.seed)
    page = Sheet(run.data, rows, alike, evaluation).render(name, own, queries, table)
    (options.output / "sheet.html").write_text(page, encoding="utf-8")
    return table


if __name__ == "__main__":
    main()
