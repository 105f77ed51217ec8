"""A small catalogue to tag; a web server on this machine, and pictures that are fetched from it."""

import socket
import threading
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from web_server import HERE, Server

from fashionmt.config import PredictColumnsConfig, PredictConfig
from fashionmt.inference.pictures import PictureLimits, UrlPictures
from fashionmt.inference.pictures.addresses import Address

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
