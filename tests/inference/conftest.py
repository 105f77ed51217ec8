"""A small catalogue to tag, an engine and its items; a web server on this machine, and pictures fetched from it."""

import socket
import threading
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tagged import decided_by
from web_server import HERE, Server

from fashionmt.bundle import Bundle, read_bundle
from fashionmt.confidence import Threshold, Thresholds
from fashionmt.config import PredictColumnsConfig, PredictConfig
from fashionmt.data.sample import sample_catalogue
from fashionmt.data.tables import Table
from fashionmt.inference import Item, TaggingEngine, load_bundle
from fashionmt.inference.pictures import PictureLimits, UrlPictures
from fashionmt.inference.pictures.addresses import Address
from fashionmt.paths import cache_dir

LIMITS = PictureLimits(max_bytes=100_000, seconds=5, allow_urls=True)


@pytest.fixture
def catalogue(tmp_path: Path, trained: Path) -> PredictConfig:
    images = tmp_path / "photos"
    images.mkdir()
    Image.new("RGB", (60, 80), "red").save(images / "007.jpg")
    Image.new("RGB", (60, 80), "red").save(tmp_path / "secret.jpg")
    table = tmp_path / "items.csv"
    table.write_text("sku,name\n007,\n1e5,Blue Shirt\nNA,Red, White Shirt\n../secret,Black Belt\nlost,\n")
    return PredictConfig(
        bundle=str(trained / "bundle"),
        catalogue=str(table),
        images=str(images),
        output=str(tmp_path / "out"),
        columns=PredictColumnsConfig(id="sku", title="name"),
        max_bad_fraction=0.5,
        batch_size=2,
        part_rows=2,
    )


@pytest.fixture(scope="module")
def engine(trained: Path) -> TaggingEngine:
    """Of the bundle that the tests share."""
    return load_bundle(trained / "bundle")


@pytest.fixture
def items() -> list[Item]:
    """Ninety of the sample, as they stand."""
    drawn = sample_catalogue(cache_dir())
    rows = [row.values for row in islice(Table(drawn.catalogue).rows(), 90)]
    return [Item(row["id"], row["productDisplayName"], drawn.images / f"{row['id']}.jpg") for row in rows]


@pytest.fixture(scope="module")
def decided(trained: Path) -> Bundle:
    """The trained bundle, with thresholds that accept some answers and not others, whatever the item."""
    heads = {name: Threshold(0.9, 0.5 + 0.08 * i) for i, name in enumerate(read_bundle(trained / "bundle").spaces)}
    heads["season"] = Threshold(0.9, None)
    return decided_by(read_bundle(trained / "bundle"), Thresholds(heads, Threshold(0.8, 0.1)))


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.stopped.set()
        running.shutdown()
        thread.join(10)


@pytest.fixture
def lookups(server: Server, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """Host -> what each lookup of it answers, one after another; any port is the server's."""
    known = {"pictures.test": [[HERE]]}

    def looked_up(host: str, port: int, **_: object) -> list[Any]:
        found = known[host].pop(0) if len(known[host]) > 1 else known[host][0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, server.server_address[1])) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    return known


@pytest.fixture
def open_urls() -> Iterator[Callable[..., UrlPictures]]:
    """A source that may dial this machine alone."""
    opened: list[UrlPictures] = []

    def only_here(address: Address, port: int) -> str | None:
        return None if address == ip_address(HERE) else f"{address} is not here"

    def opening(limits: PictureLimits = LIMITS) -> UrlPictures:
        opened.append(UrlPictures(limits, only_here))
        return opened[-1]

    yield opening
    for source in opened:
        source.close()


@pytest.fixture
def urls(open_urls: Callable[..., UrlPictures], lookups: object) -> UrlPictures:
    return open_urls()
