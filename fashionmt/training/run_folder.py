"""The folder of one training run: what lies where, and that no run is ever written over."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fashionmt.errors import UserError


@dataclass(frozen=True)
class RunFolder:
    """`runs/train/<date>/<time>/`."""

    root: Path

    @property
    def config(self) -> Path:
        """The resolved config; its presence says that a run lives here."""
        return self.root / "config.yaml"

    @property
    def split(self) -> Path:
        """`id,split` of every item."""
        return self.root / "split.csv"

    @property
    def data_report(self) -> Path:
        """What was found in the catalogue, and its fingerprint."""
        return self.root / "data_report.json"

    @property
    def checkpoints(self) -> Path:
        """The best weights, while training."""
        return self.root / "checkpoints"

    @property
    def resume_checkpoint(self) -> Path:
        """Where a killed run goes on; gone when the run has ended."""
        return self.checkpoints / "resume.ckpt"

    @property
    def metrics(self) -> Path:
        """The results; its presence says that the run has ended."""
        return self.root / "metrics.json"

    @property
    def report(self) -> Path:
        """The results for people, in one HTML file; `label_suspects.csv` lies beside it."""
        return self.root / "report.html"

    @property
    def bundle(self) -> Path:
        """The trained bundle."""
        return self.root / "bundle"

    @property
    def towers(self) -> Path:
        """The pretrained towers, of a run that pretrains."""
        return self.root / "towers"

    @property
    def ranker(self) -> Path:
        """The trained ranker, of a run that learns to recommend."""
        return self.root / "ranker"

    @property
    def begun(self) -> bool:
        """Whether it holds something that took time to make: results or a checkpoint to go on from."""
        return self.metrics.is_file() or self.resume_checkpoint.is_file()

    def clear(self) -> None:
        """Remove what a run leaves that was killed before its first checkpoint, or that could not begin."""
        for file in (self.config, self.split, self.data_report):
            file.unlink(missing_ok=True)
        logs = list(self.root.glob("*/version_*"))
        for folder in (self.checkpoints, self.bundle, *logs):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in {log.parent for log in logs}:
            with contextlib.suppress(OSError):  # something else lies there
                folder.rmdir()

    @contextlib.contextmanager
    def let_go_if_refused(self) -> Iterator[None]:
        """A run that is refused inside, before it holds anything that took time, leaves its folder to the corrected
        command."""
        try:
            yield
        except UserError:
            if not self.begun:
                self.clear()
            raise

    def claim(self, config: str) -> None:
        """Begin a run here by writing its config. Raises `UserError` where a run already is."""
        self.root.mkdir(parents=True, exist_ok=True)
        try:
            with self.config.open("x", encoding="utf-8") as file:
                file.write(config)
        except FileExistsError:
            repair = f"Continue it with resume={self.root}, or choose another hydra.run.dir"
            raise UserError(f"run folder {self.root}", "already holds a run", repair) from None

    def read_epochs(self) -> pd.DataFrame:
        """What the CSV logger kept of each epoch, by its number from 0: the last value of every column, of an epoch
        that a kill cut in two the later one. Empty where nothing was logged."""
        # A resumed run has one file more.
        files = sorted(self.root.glob("*/version_*/metrics.csv"), key=lambda path: path.stat().st_mtime)
        tables = [pd.read_csv(path) for path in files if path.stat().st_size]
        log = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
        if "epoch" not in log:
            return pd.DataFrame()
        numbers = log.apply(pd.to_numeric, errors="coerce").dropna(subset="epoch")
        epochs: pd.DataFrame = numbers.astype({"epoch": int}).groupby("epoch").last()
        return epochs.dropna(axis="columns", how="all")

    def check_resumable(self) -> None:
        """Raise `UserError` where there is no run, or one that has ended."""
        if not self.config.is_file():
            raise UserError(f"resume={self.root}", "holds no run", "Name a folder below runs/train")
        if self.metrics.is_file():
            made = next((each for each in (self.towers, self.ranker) if each.is_dir()), self.bundle)
            repair = f"Its {made.name} is {made}" if made != self.towers else f"Its towers are in {made}"
            raise UserError(f"resume={self.root}", "this run has ended", repair)
