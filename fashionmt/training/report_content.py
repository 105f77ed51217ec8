"""What a run hands to its report: the data, the bundle's answers and the logs, as plain arrays."""

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fashionmt.bundle import Bundle
from fashionmt.config import ModelConfig, TrainConfig
from fashionmt.data.picture_cache import NO_ROW
from fashionmt.data.prepare import PreparedData
from fashionmt.run_report import Head, HeldOut, ReportContent, write_report
from fashionmt.training.answers import Answers
from fashionmt.training.run_folder import RunFolder
from fashionmt.training.tracking import ResultLogger


def show_results(
    folder: RunFolder,
    config: TrainConfig,
    data: PreparedData,
    bundle: Bundle,
    answers: Mapping[str, Answers],
    seconds: str,
    loggers: Sequence[ResultLogger] = (),
) -> None:
    """Write `report.html` of a run whose bundle is written, if it is wanted, and show the same to `loggers`.

    `answers`: of `validation` and of `test`. `seconds`: what the run took, in words.

    What fails here costs no trained run: that it did is one line on stderr.
    """
    with _told(f"{folder.report} could not be written"):
        content = report_content(folder, config, data, bundle, answers, seconds)
        if config.report:
            with _told(f"{folder.report} could not be written"):
                write_report(folder.report, content)
        for logger in loggers:
            with _told(f"{type(logger).__name__} could not be shown the results"):
                logger.log_results(content, folder.report, folder.bundle)


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        line = f"fashionmt: {what} ({type(error).__name__}: {error})"
        sys.stderr.write(" ".join(line.split()) + "\n")


def report_content(
    folder: RunFolder,
    config: TrainConfig,
    data: PreparedData,
    bundle: Bundle,
    answers: Mapping[str, Answers],
    seconds: str,
) -> ReportContent:
    """What `show_results` shows."""
    validation, test = (_held_out(name, data, decode(answers[name], bundle)) for name in ("validation", "test"))
    return ReportContent(
        title=f"{config.data.name}, {folder.root.parent.name}/{folder.root.name}",
        facts=_facts(config.model, bundle.provenance, seconds),
        metrics=bundle.metrics,
        spaces=data.spaces,
        train_counts=_train_counts(data),
        epochs=folder.read_epochs(),
        validation=validation,
        test=test,
        embedding=answers["test"].embedding.numpy(),
    )


def decode(answers: Answers, bundle: Bundle) -> dict[str, Head]:
    """Each head's probabilities and answers, as tagging decodes them."""
    decoded = bundle.decoders(answers.logits, answers.views)
    return {
        name: Head(logs.exp().numpy(), decoded.answers[name].numpy(), answers.labels[name].numpy())
        for name, logs in decoded.log_probabilities.items()
    }


def _held_out(part: str, data: PreparedData, heads: dict[str, Head]) -> HeldOut:
    rows, pictures = data.split.parts()[part], data.items.pictures

    def picture(position: int) -> npt.NDArray[np.uint8] | None:
        row = pictures.row[rows[position]]
        return None if row == NO_ROW else pictures.pixels[row]

    return HeldOut(part, [data.ids[i] for i in rows], [data.raw_titles[i] for i in rows], picture, heads)


def _train_counts(data: PreparedData) -> dict[str, npt.NDArray[np.int64]]:
    """Attribute -> training items of each of `every_class`."""
    counts = {}
    for name, space in data.spaces.items():
        labels = data.items.labels[name][data.split.train]
        counts[name] = np.bincount(labels[labels >= 0], minlength=len(space.every_class))
    return counts


def _facts(model: ModelConfig, provenance: Mapping[str, Any], seconds: str) -> dict[str, str]:
    facts = {"model": _model_line(model)}
    for key, value in provenance.items():
        counts = isinstance(value, Mapping)
        facts[key.replace("_", " ")] = (
            ", ".join(f"{count:,} {name}" for name, count in value.items()) if counts else str(value)
        )
    return facts | {"seconds": seconds}


def _model_line(model: ModelConfig) -> str:
    towers = [f"CLIP of {model.clip.source}"] if model.clip is not None else []
    towers += [model.image.name] if model.image is not None else []
    towers += [model.text.pretrained or model.text.kind] if model.text is not None else []
    towers += ["wide n-grams"] if model.wide is not None else []
    return f"{' + '.join(towers)}, {model.fusion.kind}"
