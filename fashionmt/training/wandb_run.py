"""A training run in Weights & Biases, and the only place for wandb.

Online where there is a key, offline where there is none, never a question. One run for one run of ours: a resumed one
goes on with it, one that fails ends as failed.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import wandb
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only
from sklearn.decomposition import PCA
from wandb import env

from fashionmt.errors import UserError
from fashionmt.run_report import Confusion, ReportContent, confidence_plots, worst_mistakes

os.environ.setdefault("WANDB_SILENT", "true")
"""Our lines say what is to be known; read when wandb first speaks."""
MODES = ("auto", "online", "offline")
THEIR_MODES = ("online", "offline", "disabled", "shared", "dryrun", "run")
"""What `WANDB_MODE` may say."""
STEPS_OF_AN_ATTEMPT = 1_000_000_000
"""W&B's own step counts on from here in each attempt: an offline run that was resumed is several files, which `wandb
sync` sends in their order, and W&B takes no step twice. `trainer/global_step` is what its charts are drawn by."""
FLUSH_SECONDS = 1.0
"""How often an offline run is written to disk: what is not is lost where the process is killed."""
SHOWN_ITEMS = 1000
"""Rows of the embedding table."""
SHOWN_DIMENSIONS = 50
"""Its columns: principal components."""
SHOWN_PAIRS = 200
"""Rows of a head's table of confusions."""


class WandbRun(WandbLogger):
    """`logger=wandb`."""

    def __init__(
        self,
        save_dir: str,
        project: str = "fashionmt",
        entity: str | None = None,
        name: str | None = None,
        group: str | None = None,
        tags: str | Sequence[str] = (),
        mode: str = "auto",
    ) -> None:
        """`save_dir`: the run's folder. `tags`: a text is one tag. `mode`: `auto`, `online` or `offline`; `WANDB_MODE`
        goes before `auto`."""
        if mode not in MODES:
            raise UserError(f"logger.wandb.mode={mode}", "no such choice", f"Use one of {', '.join(MODES)}")
        _check_environment()
        folder = Path(save_dir)
        super().__init__(
            name=name or f"{folder.parent.name}/{folder.name}",
            save_dir=save_dir,
            project=project,
            id=_kept_id(folder),
            log_model=False,
            entity=entity,
            group=group,
            tags=[tags] if isinstance(tags, str) else list(tags),
            mode=_mode() if mode == "auto" else mode,
            # Quiet, and blind to what is not this run's: the screen, the machine, the user's code.
            settings=wandb.Settings(
                console="off",
                silent=True,
                disable_git=True,
                disable_code=True,
                x_disable_stats=True,
                x_transaction_log_flush_interval=FLUSH_SECONDS,
            ),
        )
        self._wandb_init.pop("anonymous")  # wandb warns of it, whatever its value
        self._next_step = STEPS_OF_AN_ATTEMPT * len(list((folder / "wandb").glob("*run-*")))

    @property
    def experiment(self) -> Any:
        """W&B's own run, begun when it is first asked for. Raises `UserError` where it cannot be begun."""
        try:
            return super().experiment
        except (wandb.Error, ValueError) as error:
            wrong = f"no run could be begun ({str(error)[:200]})"
            repair = "Check logger.wandb, run wandb login, or use logger.wandb.mode=offline"
            raise UserError("logger=wandb", wrong, repair) from error

    def link(self) -> str | None:
        """Where the run is to be seen; None offline, and in processes that only help another to train."""
        url = self.experiment.url if self._wandb_init["mode"] == "online" else None
        return url if isinstance(url, str) else None

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """See `Logger.log_metrics`; `step` is the trainer's."""
        there = {} if step is None else {"trainer/global_step": step}
        self._log(dict(metrics) | there)

    @rank_zero_only
    def log_class_weights(self, weights: Mapping[str, Mapping[str, tuple[int, float]]]) -> None:
        """`weights`: attribute -> class -> training items and weight in the loss."""
        table = wandb.Table(["attribute", "class", "training items", "weight"])
        for attribute, classes in weights.items():
            for name, (count, weight) in classes.items():
                table.add_data(attribute, name, count, weight)
        self._log({"class_weights": table})

    @rank_zero_only
    def log_results(self, content: ReportContent, report: Path, bundle: Path) -> None:
        """What the run came to: figures of the test items, the page, and the bundle as an artifact.

        Args:
            report: `report.html`.
            bundle: the bundle's folder. It holds no picture: the data is named by its fingerprint.
        """
        shown: dict[str, Any] = {"worst_mistakes": _mistakes(content), "embedding": _embedding(content)}
        for name, space in content.spaces.items():
            head = content.test.heads[name]
            if (curves := confidence_plots(head, name)) is not None:
                shown[f"confidence/{name}"] = wandb.Html(str(curves), inject=False)
            pairs = Confusion.of(head, space).worst_pairs(SHOWN_PAIRS)
            rows: list[Any] = [[pair.true, pair.answered, pair.count, pair.share] for pair in pairs]
            shown[f"confusion/{name}"] = wandb.Table(["label", "answer", "items", "share of the label's"], rows)
        if report.is_file():
            shown["report"] = wandb.Html(report.read_text(encoding="utf-8"), inject=False)
        self._log(shown)
        artifact = wandb.Artifact(f"bundle-{self.experiment.id}", "model", metadata=_about(content))
        with self._staged_here():
            artifact.add_dir(str(bundle.resolve()), policy="immutable")  # no copy of it
            self.experiment.log_artifact(artifact)

    @rank_zero_only
    def finish(self, exit_code: int) -> None:
        """The run has ended: 0 as it should, another number as failed."""
        if self._experiment is not None:
            self._experiment.finish(exit_code=exit_code)
            self._experiment = None

    def _log(self, what: dict[str, Any]) -> None:
        with self._staged_here():
            self.experiment.log(what, step=self._next_step)
        self._next_step += 1

    @contextlib.contextmanager
    def _staged_here(self) -> Iterator[None]:
        """What waits to be uploaded lies in the run's folder, and not in the user's home, unless the user says where:
        an offline run would not be whole without it."""
        chosen = os.environ.get(env.DATA_DIR)
        os.environ[env.DATA_DIR] = chosen or str(Path(self.save_dir or ".").resolve() / "wandb")
        try:
            yield
        finally:
            if chosen is None:
                del os.environ[env.DATA_DIR]


def fetch_bundle(reference: str, folder: Path) -> Path:
    """The bundle of an artifact, `<entity>/<project>/<artifact>[:<version>]`, below `folder`. Raises `UserError`."""
    name = reference if ":" in reference else f"{reference}:latest"
    place = folder / name.replace("/", "-").replace(":", "-")
    if not wandb.login(prompt=False):
        raise UserError(f"bundle=wandb:{reference}", "there is no W&B key", "Run wandb login, or set WANDB_API_KEY")
    try:
        return Path(wandb.Api().artifact(name, type="model").download(str(place)))
    except (wandb.Error, ValueError, OSError) as error:
        told = f"could not be had from W&B ({str(error)[:200]})"
        repair = "Check its name and the network, or name a folder"
        raise UserError(f"bundle=wandb:{reference}", told, repair) from error


def _check_environment() -> None:
    """W&B reads `WANDB_MODE` whatever it is told, and refuses what it does not know where a run begins."""
    given = os.environ.get("WANDB_MODE")
    if given is not None and given not in THEIR_MODES:
        raise UserError(f"WANDB_MODE={given}", "no such choice", "Use online, offline or disabled, or unset it")


def _mode() -> str:
    """As `WANDB_MODE` says, or by whether there is a key."""
    if chosen := os.environ.get("WANDB_MODE"):
        return chosen
    return "online" if wandb.login(prompt=False) else "offline"


def _kept_id(folder: Path) -> str:
    """The W&B run's id, kept in the run's folder: who resumes the one resumes the other."""
    if "WANDB_SWEEP_ID" in os.environ and (given := os.environ.get("WANDB_RUN_ID")):
        return given  # of a job that W&B's own agent started
    file = folder / "wandb-id"
    folder.mkdir(parents=True, exist_ok=True)
    if not file.is_file():
        file.write_text(secrets.token_hex(6), encoding="utf-8")
    return file.read_text(encoding="utf-8").strip()


def _about(content: ReportContent) -> dict[str, Any]:
    """The artifact's metadata."""
    heads = content.metrics["attributes"]
    scores = {name: {kind: row[kind] for kind in ("accuracy", "macro_f1")} for name, row in heads.items()}
    return {"test": scores, "exact_match": content.metrics["exact_match"], **content.facts}


def _mistakes(content: ReportContent) -> wandb.Table:
    table = wandb.Table(["attribute", "picture", "id", "title", "label", "answer", "confidence"])
    for space in content.spaces.values():
        for mistake in worst_mistakes(content.test, space):
            picture = None if mistake.pixels is None else wandb.Image(mistake.pixels)
            known = mistake.id, mistake.title or "", mistake.label, mistake.answer, mistake.confidence
            table.add_data(space.attribute, picture, *known)
    return table


def _embedding(content: ReportContent) -> wandb.Table:
    """Test items by their principal components, with their labels."""
    found = content.embedding[:SHOWN_ITEMS]
    with np.errstate(invalid="ignore"):  # of items that are all alike
        points = PCA(min(SHOWN_DIMENSIONS, *found.shape), random_state=0).fit_transform(found)
    table = wandb.Table(["id", *content.spaces, *(f"c{i}" for i in range(points.shape[1]))])
    for i in range(len(points)):
        labels = [_label(content, name, i) for name in content.spaces]
        table.add_data(content.test.ids[i], *labels, *(float(value) for value in points[i]))
    return table


def _label(content: ReportContent, name: str, item: int) -> str:
    label = content.test.heads[name].labels[item]
    return content.spaces[name].every_class[label] if label >= 0 else ""
