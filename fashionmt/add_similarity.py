"""Give a trained run's bundle a similarity head: `python -m fashionmt.add_similarity runs/train/<...> <new bundle>`.

The head is learned from the run's training rows, as one is when a run ends; the bundle, with it, is written into a new
folder. For bundles that were trained without one, or to try other settings.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch

from fashionmt.bundle import save_bundle
from fashionmt.config import SimilarityConfig
from fashionmt.errors import UserError
from fashionmt.finished_run import read_run
from fashionmt.training.similarity_head import learn_similarity

BATCH = 256


def main() -> None:
    """The command."""
    known = SimilarityConfig()
    parser = argparse.ArgumentParser(prog="python -m fashionmt.add_similarity", description=__doc__)
    parser.add_argument("run", type=Path, help="a training run's folder")
    parser.add_argument("output", type=Path, help="a new folder for the bundle")
    parser.add_argument("--catalogue", help="where the catalogue lies now")
    parser.add_argument("--images", help="where its pictures lie now")
    parser.add_argument("--alike", help="attributes that make items similar, a,b,c; by default the run's data.alike")
    for name, default in vars(known).items():
        parser.add_argument(f"--{name}", type=type(default), default=default, help=f"similarity.{name}; {default}")
    options = parser.parse_args()
    try:
        config = SimilarityConfig(**{name: getattr(options, name) for name in vars(known)})
        add_similarity(options, config)
    except UserError as error:
        parser.error(str(error))
    sys.stdout.write(f"bundle: {options.output}\n")


def add_similarity(options: argparse.Namespace, config: SimilarityConfig) -> None:
    """Raises `UserError`."""
    if options.output.exists():
        raise UserError(str(options.output), "is there already", "Name a new folder")
    run = read_run(options.run, options.catalogue, options.images)
    alike = run.alike(options.alike)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    head = learn_similarity(run.bundle.tagger, run.data, alike, config, run.config.seed, device, BATCH)
    run.bundle.tagger.cpu()
    save_bundle(replace(run.bundle, similarity=head), options.output)


if __name__ == "__main__":
    main()
