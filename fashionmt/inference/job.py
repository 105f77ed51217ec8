"""A tagging job: its inputs opened, its output folder claimed, its manifest written or read again."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fashionmt.bundle import Bundle
from fashionmt.config import PredictConfig
from fashionmt.data.sample import sample_catalogue
from fashionmt.data.tables import Table
from fashionmt.errors import TakenError, UserError
from fashionmt.inference.catalogue_items import Catalogue, ItemReader
from fashionmt.inference.column_map import TaggingColumns, kept_columns, map_columns
from fashionmt.inference.input_files import input_files
from fashionmt.inference.manifest import NAME, SUCCESS, Manifest, fingerprint, read_manifest, write_manifest
from fashionmt.inference.part_files import PART_FILES, PartFiles, part_files
from fashionmt.inference.picture_listing import ID, PictureListing
from fashionmt.inference.pictures import PictureLimits, open_pictures
from fashionmt.inference.runtimes import read_exports, require_runtime
from fashionmt.paths import cache_dir
from fashionmt.storage import held, make_folder, remove, unfinished_name

RUNS = Path("runs/predict")
JOINED = (".csv", ".parquet")
"""Suffixes of an output that is one file."""
NOT_WRITTEN = (".tsv", ".json", ".jsonl", ".txt", ".xlsx", ".xls", ".feather", ".gz", ".zip")
"""Who ends an output so means a file, and not a folder of that name."""
SETUP_SECONDS = 300
QUARANTINE = "quarantine.csv"
SUMMARY, REVIEW_QUEUE = "summary.html", "review_queue.csv"
WHOLE_FILES = (NAME, SUCCESS, QUARANTINE, SUMMARY, REVIEW_QUEUE)
"""Those that are not of one part."""


@dataclass(frozen=True)
class Job:
    """What is to be done, and where it goes."""

    folder: Path
    joined: Path | None
    """The one file that the parts become at the end."""
    manifest: Manifest
    reader: ItemReader
    attributes: list[str]
    summary: Path | None
    """The page about the tags; None: none is asked for."""

    @property
    def parts(self) -> list[PartFiles]:
        """Every part's files, there or not."""
        return part_files(self.folder, self.manifest)

    @property
    def success(self) -> Path:
        """The last file written."""
        return self.folder / SUCCESS

    @property
    def lock(self) -> Path:
        """Held while the folder as a whole is changed."""
        return self.folder / ".setup.lock"


@dataclass(frozen=True)
class _Inputs:
    """What a job reads."""

    reader: ItemReader
    settings: dict[str, Any]
    mark: str
    """The job's fingerprint."""


def open_job(config: PredictConfig, bundle: Bundle, digest: str) -> Job:
    """Open the inputs and claim the output folder. Raises `UserError` before anything is written where they do not fit;
    `TakenError` where the folder is another job's. `digest`: the bundle's."""
    opened = _open_inputs(config, bundle, digest)
    folder, joined = places(config, opened.reader.catalogue.names[0], opened.mark)
    manifest = claim(folder, joined, opened.mark, config.overwrite, lambda: _survey(opened))
    summary = folder / SUMMARY if config.summary else None
    return Job(folder, joined, manifest, opened.reader, list(bundle.spaces), summary)


def join_job(config: PredictConfig, bundle: Bundle, digest: str, mark: str) -> Job:
    """A job that another process has opened, maybe on another machine; nothing is written. `mark`: its fingerprint.
    Raises `UserError` where the files are others here."""
    opened = _open_inputs(config, bundle, digest)
    folder, joined = places(config, opened.reader.catalogue.names[0], mark)
    manifest = read_manifest(folder)
    if opened.mark != mark or manifest is None or manifest.fingerprint != mark:
        wrong = f"on {socket.gethostname()} the bundle, the catalogue or the output is not the job's"
        raise UserError(str(folder), wrong, "Have all machines see the same files under the same paths")
    return Job(folder, joined, manifest, opened.reader, list(bundle.spaces), None)


def open_reader(config: PredictConfig, bundle: Bundle) -> ItemReader:
    """What reads a catalogue's items. Raises `UserError`."""
    return _open_reader(config, bundle)[0]


def _open_reader(config: PredictConfig, bundle: Bundle) -> tuple[ItemReader, str | None]:
    """With the place where the pictures lie."""
    catalogue, columns, images = _open_catalogue(config, bundle)
    limits = PictureLimits(
        max_bytes=int(bundle.preprocess.max_megabytes * 1e6),
        seconds=config.picture_seconds,
        allow_urls=config.allow_urls,
    )
    return ItemReader(catalogue, columns, bundle, open_pictures(images, limits)), images


def _open_inputs(config: PredictConfig, bundle: Bundle, digest: str) -> _Inputs:
    reader, images = _open_reader(config, bundle)
    settings = _settings(config, digest, reader.columns, images)
    return _Inputs(reader, settings, fingerprint(settings, reader.catalogue.digests()))


def _open_catalogue(config: PredictConfig, bundle: Bundle) -> tuple[Catalogue, TaggingColumns, str | None]:
    """The catalogue, its columns, and where its pictures lie."""
    if config.catalogue is None:
        return _open_sample(config, bundle)
    names = config.catalogues()
    if len(names) == 1 and Path(names[0]).is_dir():
        listing = PictureListing(Path(names[0]), bundle.preprocess.formats)
        columns = TaggingColumns(ID, None, ID, "", (), {}, {}, kept_columns(config, bundle, listing.columns))
        return Catalogue({names[0]: listing}), columns, names[0]
    files = input_files(names, config.stdin_format)
    title = bundle.columns.title if config.columns.title is None else config.columns.title
    catalogue = Catalogue({name: Table(path, title or None) for name, path in files.items()})
    return catalogue, map_columns(config, bundle, catalogue.columns), config.images


def _open_sample(config: PredictConfig, bundle: Bundle) -> tuple[Catalogue, TaggingColumns, str | None]:
    drawn, title = sample_catalogue(cache_dir()), "productDisplayName"
    table = Table(drawn.new_catalogue, title)
    kept = kept_columns(config, bundle, table.columns)
    columns = TaggingColumns("id", title, None, "{id}.jpg", ("",), {}, {}, kept)
    return Catalogue({"sample": table}), columns, str(drawn.new_images)


def _settings(config: PredictConfig, digest: str, columns: TaggingColumns, images: str | None) -> dict[str, Any]:
    """All that changes what comes out, the inputs' content aside."""
    part_rows = -(-config.part_rows // config.batch_size) * config.batch_size
    settings = {
        "bundle": digest,
        "columns": columns.to_json(),
        "images": images,
        "allow_urls": config.allow_urls,
        "picture_missing": config.picture_missing,
        "format": config.format,
        "embeddings": config.embeddings,
        "part_rows": part_rows,
        "batch_size": config.batch_size,
        "precision": config.precision,
        "runtime": _runtime(config),
    }
    return settings | {"vectors": True} if config.vectors else settings


def _runtime(config: PredictConfig) -> str:
    """What computes the model, and which exported one. Raises `UserError` where it cannot."""
    if config.runtime == "torch":
        return config.runtime
    require_runtime(config.runtime)
    return f"{config.runtime} {read_exports(Path(str(config.bundle))).sha256(config.precision)}"


def places(config: PredictConfig, name: str, mark: str) -> tuple[Path, Path | None]:
    """(folder of the parts, the file that they are joined into). `name`: of the input, for an output that has none.
    Raises `UserError`."""
    if config.output is None:
        stem = Path(name).name.split(".")[0] or "items"
        return RUNS / f"{stem}-{mark[:8]}", None
    output = Path(config.output)
    if output.suffix.lower() in JOINED:
        if output.is_dir():
            raise UserError(f"output={output}", "is a folder", "Name a file")
        if config.format == "csv" and output.suffix.lower() == ".parquet":
            raise UserError("format=csv", "cannot be joined into a Parquet file", "Set format=parquet")
        return output.with_name(f"{output.name}.parts"), output
    if output.is_file():
        raise UserError(f"output={output}", "is a file, not one of .csv or .parquet", "Name a folder")
    if output.suffix.lower() in NOT_WRITTEN and not output.is_dir():
        raise UserError(
            f"output={output}", "tags are not written in that format", "Name a .csv, a .parquet or a folder"
        )
    return output, None


def _survey(opened: _Inputs) -> Manifest:
    survey = opened.reader.catalogue.survey(opened.reader.columns.id, opened.settings["part_rows"])
    return Manifest(opened.settings, survey.inputs, survey.rows, survey.duplicate_ids, survey.parts)


def claim(folder: Path, joined: Path | None, mark: str, overwrite: bool, make: Callable[[], Manifest]) -> Manifest:
    """The job's manifest: the folder's own, or a new one in a folder that holds nothing else. Raises `TakenError`."""
    if joined is not None and joined.exists() and not folder.is_dir() and not overwrite:
        raise _taken(joined, "is there already")
    found = read_manifest(folder) if not overwrite else None
    if found is not None and found.fingerprint == mark:
        return found
    manifest = make()
    make_folder(folder)
    with held(folder / ".setup.lock", SETUP_SECONDS) as ours:
        if not ours:
            raise _taken(folder, "another process is at it")
        found = _read_or_none(folder, overwrite)  # another shard's process may have been first
        if found is not None and found.fingerprint == mark:
            return found
        _clear(folder, joined, found, mark, overwrite)
        write_manifest(folder, manifest)
    return manifest


def _read_or_none(folder: Path, overwrite: bool) -> Manifest | None:
    try:
        return read_manifest(folder)
    except UserError:
        if overwrite:
            return None
        raise


def _clear(folder: Path, joined: Path | None, found: Manifest | None, mark: str, overwrite: bool) -> None:
    """Remove what another job left. Raises `TakenError` where that was not asked for."""
    parts = sorted(file for pattern in PART_FILES for file in folder.glob(pattern))
    whole = [folder / name for name in WHOLE_FILES]
    if not overwrite:
        if found is not None and parts:
            marks = f"its fingerprint is {found.fingerprint[:8]}, this job's {mark[:8]}"
            raise _taken(folder, f"holds another job's tags ({marks})")
        known = {*whole, *(unfinished_name(file) for file in whole)}
        strange = [file.name for file in folder.iterdir() if file not in known and file.suffix != ".lock"]
        if strange:
            raise _taken(folder, f"holds other files ({', '.join(sorted(strange)[:3])})")
    take_back(folder / SUCCESS, joined)
    for file in [*parts, *whole]:
        remove(file)


def take_back(success: Path, joined: Path | None) -> None:
    """Remove what says that a job is done, before it is: the file that parts are joined into is then never an older
    job's."""
    remove(success)
    if joined is not None:
        remove(joined)


def _taken(folder: Path, wrong: str) -> TakenError:
    return TakenError(f"output={folder}", wrong, "Choose another output, or set overwrite=true")
