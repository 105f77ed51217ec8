"""What no catalogue can make this machine dial."""

import socket
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest
from picture_places import refusal
from web_server import HERE, Server, moved, ok

from fashionmt.inference.pictures import PictureLimits, UrlPictures
from fashionmt.inference.pictures.addresses import is_public, public_web
from fashionmt.problems import Code


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> Iterator[UrlPictures]:
    """The real policy, and a dialler that fails the test."""
    monkeypatch.setattr("fashionmt.inference.pictures.urls.dial", lambda *_: pytest.fail("dialled"))
    source = UrlPictures(PictureLimits(1000, 5))
    yield source
    source.close()


@pytest.mark.parametrize(
    "host",
    [
        HERE,
        "localhost",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[fec0::1]",
        "[ff0e::1]",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "0177.0.0.1",
        "127.1",
        "\uff11\uff12\uff17.\uff10.\uff10.\uff11",
        "127\u30020\u30020\u30021",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_only_this_machine_can_reach_is_not_dialled(scheme: str, host: str, guarded: UrlPictures) -> None:
    assert refusal(guarded, f"{scheme}://{host}/1.jpg") is Code.IMAGE_URL_REFUSED


@pytest.mark.parametrize(
    "url",
    [
        "http://1.1.1.1:8080/",
        "http://1.1.1.1:22/",
        "http://1.1.1.1:0/",
        "http://1.1.1.1:99999/",
        "http://1.1.1.1:-80/",
        "http://1.1.1.1:x/",
        "http://user@1.1.1.1/",
        "http://user:word@1.1.1.1/",
        "http://@1.1.1.1/",
        "http://1.1.1.1\\@10.0.0.1/",
        "http://1.1.1.1\\/",
        "http://1.1.1.1%2f/",
        "http://1.1.1.1 /",
        "http://[fe80::1%25lo]/",
        "http://[1.1.1.1]/",
        "http://1.1.1.1/\r\nX: y",
        "http://1.1.1.1/\0",
        "http://1.1\t.1.1/",
        "http://",
        "http:///1.jpg",
        "http://./",
        "http://..com/",
        "http://.com/",
        "http://\ud800/",
        "http://1.1.1.1/\ud800",
        "http://" + "x" * 64 + ".test/",
        "http://" + "x." * 200 + "test/",
        "http://" + "é" * 5000 + "/",
        "http://e\u2100vil.test/",
        "ftp://1.1.1.1/",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "1.jpg",
        "",
    ],
)
def test_what_is_no_plain_address_is_not_looked_up(
    url: str, guarded: UrlPictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    numeric = socket.getaddrinfo

    def no_name(host: str, port: int, **options: Any) -> Any:
        return numeric(host, port, flags=socket.AI_NUMERICHOST, **options)

    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    assert refusal(guarded, url) is Code.IMAGE_URL_REFUSED


@pytest.mark.parametrize("found", [["93.184.216.34", "10.0.0.1"], ["10.0.0.1", "93.184.216.34"], ["10.0.0.1"]])
def test_one_private_address_among_public_ones_is_enough(
    found: list[str], guarded: UrlPictures, lookups: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fashionmt.inference.pictures.addresses.PORTS", range(65536))  # it is the server's
    lookups["pictures.test"] = [found]
    assert refusal(guarded, "http://pictures.test/1.jpg") is Code.IMAGE_URL_REFUSED


def test_what_was_checked_is_what_is_dialled(server: Server, urls: UrlPictures, lookups: dict[str, Any]) -> None:
    """A name that is public when it is checked and private when it is dialled: there is no second lookup."""
    lookups["pictures.test"] = [[HERE], ["10.0.0.1"], ["10.0.0.2"]]
    server.answers["/1.jpg"] = ok(b"picture")
    assert urls.read("http://pictures.test/1.jpg") == b"picture"
    assert lookups["pictures.test"] == [["10.0.0.1"], ["10.0.0.2"]]
    assert refusal(urls, "http://pictures.test/1.jpg") is Code.IMAGE_URL_REFUSED
    assert len(server.requests) == 1


def test_each_redirect_is_looked_up_anew(server: Server, urls: UrlPictures, lookups: dict[str, Any]) -> None:
    lookups["pictures.test"] = [[HERE], ["10.0.0.1"]]
    server.answers |= {"/1.jpg": moved("/2.jpg"), "/2.jpg": ok(b"picture")}
    assert refusal(urls, "http://pictures.test/1.jpg") is Code.IMAGE_URL_REFUSED
    assert len(server.requests) == 1


@pytest.mark.parametrize("text", ["1.1.1.1", "93.184.216.34", "2606:4700::ab", "64:ff9b::101:101", "2002:101:101::"])
def test_the_public_internet_is_public(text: str) -> None:
    address = ip_address(text)
    assert is_public(address)
    assert public_web(address, 80) is public_web(address, 443) is None
    assert "8080" in str(public_web(address, 8080))


@pytest.mark.parametrize(
    "location",
    [
        "http://private.test/",
        "//private.test/2.jpg",
        "http://10.0.0.1/",
        "ftp://pictures.test/2.jpg",
        "file:///etc/passwd",
        "http://user:word@pictures.test/2.jpg",
        "http://[/",
    ],
)
def test_a_redirect_is_checked_as_an_address_of_its_own(
    location: str, server: Server, urls: UrlPictures, lookups: dict[str, Any]
) -> None:
    lookups |= {"private.test": [["10.0.0.1"]], "10.0.0.1": [["10.0.0.1"]]}
    server.answers |= {"/1.jpg": moved(location), "/2.jpg": ok(b"picture")}
    assert refusal(urls, "http://pictures.test/1.jpg") in (Code.IMAGE_URL_REFUSED, Code.IMAGE_URL_FAILED)
    assert len(server.requests) == 1
