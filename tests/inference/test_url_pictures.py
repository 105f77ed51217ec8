"""Pictures by web address, from a server here: what is fetched, what an answer means, and that it always ends."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from picture_places import refusal
from web_server import HERE, Server, Talk, moved, ok

from fashionmt.inference.pictures import PictureLimits, UrlPictures
from fashionmt.problems import Code

# Fetched


def test_a_picture_is_fetched_and_little_is_told(server: Server, urls: UrlPictures) -> None:
    server.answers["/a/1.jpg?size=2"] = ok(b"picture", "Content-Length: 7", "Set-Cookie: a=b")
    assert [urls.read("http://pictures.test/a/1.jpg?size=2#part") for _ in range(2)] == [b"picture"] * 2
    first, second = server.requests
    assert first == second
    lines = first.rstrip().split("\r\n")
    assert lines[0] == "GET /a/1.jpg?size=2 HTTP/1.1"
    assert {line.partition(":")[0] for line in lines[1:]} == {
        "Host", "User-Agent", "Accept", "Accept-Encoding", "Connection",
    }  # fmt: skip
    assert {"Host: pictures.test", "Accept-Encoding: identity"} < set(lines)


def test_no_proxy_is_asked(server: Server, urls: UrlPictures, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://10.0.0.1:3128")
    server.answers["/1.jpg"] = ok(b"picture")
    assert urls.read("http://pictures.test/1.jpg") == b"picture"


@pytest.mark.parametrize(
    ("path", "asked"),
    [("", "/"), ("?a=b", "/?a=b"), ("/a b/é.jpg", "/a%20b/%C3%A9.jpg"), ("/a%20b%2F.jpg", "/a%20b%2F.jpg")],
)
def test_an_address_is_asked_for_as_a_browser_would(path: str, asked: str, server: Server, urls: UrlPictures) -> None:
    server.answers[asked] = ok(b"picture")
    assert urls.read(f"http://pictures.test{path}") == b"picture"


@pytest.mark.parametrize(
    ("host", "looked_up", "header"),
    [
        ("PICTURES.test", "pictures.test", "pictures.test"),
        ("bücher.test", "xn--bcher-kva.test", "xn--bcher-kva.test"),
        ("pictures.test:80", "pictures.test", "pictures.test"),
        ("pictures.test:443", "pictures.test", "pictures.test:443"),
        ("[2606:4700::ab]", "2606:4700::ab", "[2606:4700::ab]"),
    ],
)
def test_the_server_is_asked_for_the_host_by_name(
    host: str, looked_up: str, header: str, server: Server, urls: UrlPictures, lookups: dict[str, Any]
) -> None:
    lookups[looked_up] = [[HERE]]
    server.answers["/1.jpg"] = ok(b"picture")
    assert urls.read(f"http://{host}/1.jpg") == b"picture"
    assert f"\r\nHost: {header}\r\n" in server.requests[0]


CHUNKED = "Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    "answer",
    [
        ok(b"picture", "Content-Length: 7"),
        ok(b"picture"),
        ok(b"3\r\npic\r\n4;x=y\r\nture\r\n0\r\n\r\n", CHUNKED),
        ok(b"picture", "Content-Length: 7", "Content-Encoding: identity"),
        ok(b"picture", "Content-Length: 7", "Content-Encoding: utf-8"),
        ok(b"picture, and more that was not announced", "Content-Length: 7"),
        b"HTTP/1.1 100 Continue\r\n\r\n" + ok(b"picture"),
        b"HTTP/1.0 200\r\n\r\npicture",
    ],
    ids=["a length", "no length", "chunks", "identity", "no coding", "too much", "continue", "old"],
)
def test_the_ways_to_answer(answer: bytes, server: Server, urls: UrlPictures) -> None:
    server.answers["/1.jpg"] = answer
    assert urls.read("http://pictures.test/1.jpg") == b"picture"


def test_a_server_that_keeps_the_connection_open_is_not_waited_for(server: Server, urls: UrlPictures) -> None:
    def stay(connection: socket.socket, stopped: threading.Event) -> None:
        connection.sendall(ok(b"picture", "Content-Length: 7"))
        stopped.wait(10)

    server.answers["/1.jpg"] = stay
    started = time.monotonic()
    assert urls.read("http://pictures.test/1.jpg") == b"picture"
    assert time.monotonic() - started < 5


def test_the_next_address_is_dialled_where_one_does_not_answer(
    server: Server, urls: UrlPictures, lookups: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers["/1.jpg"] = ok(b"picture")
    connect, dialled = socket.socket.connect, []

    def counted(self: socket.socket, address: Any) -> None:
        dialled.append(address)
        if len(dialled) == 1:
            raise ConnectionRefusedError
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", counted)
    lookups["pictures.test"] = [[HERE, HERE]]
    assert urls.read("http://pictures.test/1.jpg") == b"picture"
    assert len(dialled) == 2


def test_an_address_that_is_silent_leaves_time_for_the_next(
    server: Server, open_urls: Callable[..., UrlPictures], lookups: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers["/1.jpg"] = ok(b"picture")
    connect, dialled = socket.socket.connect, []

    def silent_first(self: socket.socket, address: Any) -> None:
        dialled.append(address)
        if len(dialled) == 1:
            time.sleep(self.gettimeout() or 10)
            raise TimeoutError
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", silent_first)
    lookups["pictures.test"] = [[HERE] * 4]
    assert open_urls(PictureLimits(1000, 2)).read("http://pictures.test/1.jpg") == b"picture"


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", ["/to/2.jpg", "2.jpg", "http://pictures.test/to/2.jpg", "//pictures.test/to/2.jpg"]
)
def test_a_redirect_is_followed(status: int, location: str, server: Server, urls: UrlPictures) -> None:
    server.answers |= {"/to/1.jpg": moved(location, status), "/to/2.jpg": ok(b"picture")}
    assert urls.read("http://pictures.test/to/1.jpg") == b"picture"


def test_the_bytes_of_a_redirect_are_asked_for_as_they_came(server: Server, urls: UrlPictures) -> None:
    server.answers |= {"/1.jpg": moved("/é a.jpg"), "/%C3%A9%20a.jpg": ok(b"picture")}
    assert urls.read("http://pictures.test/1.jpg") == b"picture"


def test_redirects_end(server: Server, urls: UrlPictures, open_urls: Callable[..., UrlPictures]) -> None:
    server.answers |= {f"/{i}": moved(f"/{i + 1}") for i in range(4)} | {"/4": ok(b"picture"), "/loop": moved("/loop")}
    assert urls.read("http://pictures.test/1") == b"picture"
    assert refusal(urls, "http://pictures.test/0") is Code.IMAGE_URL_REFUSED
    assert refusal(urls, "http://pictures.test/loop") is Code.IMAGE_URL_REFUSED
    assert len(server.requests) == 4 + 4 + 4
    none = open_urls(PictureLimits(1000, 5, redirects=0))
    assert none.read("http://pictures.test/4") == b"picture"
    assert refusal(none, "http://pictures.test/3") is Code.IMAGE_URL_REFUSED


# Refused and failed


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, Code.IMAGE_NOT_FOUND),
        (410, Code.IMAGE_NOT_FOUND),
        (400, Code.IMAGE_URL_REFUSED),
        (401, Code.IMAGE_URL_REFUSED),
        (403, Code.IMAGE_URL_REFUSED),
        (451, Code.IMAGE_URL_REFUSED),
        (408, Code.IMAGE_URL_FAILED),
        (425, Code.IMAGE_URL_FAILED),
        (429, Code.IMAGE_URL_FAILED),
        (500, Code.IMAGE_URL_FAILED),
        (503, Code.IMAGE_URL_FAILED),
        (204, Code.IMAGE_URL_FAILED),
        (304, Code.IMAGE_URL_FAILED),
        (302, Code.IMAGE_URL_FAILED),
    ],
)
def test_what_a_status_means(status: int, code: Code, server: Server, urls: UrlPictures) -> None:
    server.answers["/1.jpg"] = f"HTTP/1.1 {status} Told\r\nContent-Length: 0\r\n\r\n".encode()
    assert refusal(urls, "http://pictures.test/1.jpg") is code


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"", Code.IMAGE_URL_FAILED),
        (b"not http\r\n\r\n", Code.IMAGE_URL_FAILED),
        (b"HTTP/1.1 200 OK\r\n" + b"X" * 70_000, Code.IMAGE_URL_FAILED),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", Code.IMAGE_URL_FAILED),
        (b"HTTP/1.1 2\xb200 OK\r\n\r\n", Code.IMAGE_URL_FAILED),
        (ok(b"pict", "Content-Length: 7"), Code.IMAGE_URL_FAILED),
        (ok(b"9\r\npict", CHUNKED), Code.IMAGE_URL_FAILED),
        (ok(b"x\r\npict", CHUNKED), Code.IMAGE_URL_FAILED),
        (ok(b"3\r\npic\r\n", CHUNKED), Code.IMAGE_URL_FAILED),
        (ok(bytes(100_001), "Content-Length: 100001"), Code.IMAGE_TOO_MANY_BYTES),
        (ok(b"", "Content-Length: 99999999999999999999"), Code.IMAGE_TOO_MANY_BYTES),
        (ok(bytes(100_001)), Code.IMAGE_TOO_MANY_BYTES),
        (ok(bytes(200_000), "Content-Length: -1"), Code.IMAGE_TOO_MANY_BYTES),
        (ok(b"186a1\r\n" + bytes(100_001) + b"\r\n0\r\n\r\n", CHUNKED), Code.IMAGE_TOO_MANY_BYTES),
        (ok(b"picture", "Content-Encoding: gzip"), Code.IMAGE_URL_REFUSED),
        (ok(b"picture", "Content-Encoding: identity, BR"), Code.IMAGE_URL_REFUSED),
    ],
    ids=range(16),
)
def test_a_faulty_answer_is_a_refusal(answer: bytes, code: Code, server: Server, urls: UrlPictures) -> None:
    server.answers["/1.jpg"] = answer
    assert refusal(urls, "http://pictures.test/1.jpg") is code


def endless(start: bytes, piece: bytes) -> Callable[[socket.socket, threading.Event], None]:
    def send(connection: socket.socket, stopped: threading.Event) -> None:
        connection.sendall(start)
        with contextlib.suppress(OSError):
            while not stopped.is_set():
                connection.sendall(piece)

    return send


@pytest.mark.parametrize("length", ["-1", "-2", "-fffffffff", "fffffffffffff"])
def test_a_body_without_end_takes_little_memory(length: str, server: Server, urls: UrlPictures) -> None:
    """Some versions of `http.client` would read a chunk of negative length to its end in one piece."""
    server.answers["/1.jpg"] = endless(ok(f"{length}\r\n".encode(), CHUNKED), bytes(65536))
    started = time.monotonic()
    assert refusal(urls, "http://pictures.test/1.jpg") in (Code.IMAGE_TOO_MANY_BYTES, Code.IMAGE_URL_FAILED)
    assert time.monotonic() - started < 5


def drip(start: bytes, piece: bytes) -> Callable[[socket.socket, threading.Event], None]:
    def send(connection: socket.socket, stopped: threading.Event) -> None:
        connection.sendall(start)
        with contextlib.suppress(OSError):
            while not stopped.wait(0.05):
                connection.sendall(piece)

    return send


@pytest.mark.parametrize(
    "answer",
    [
        drip(b"", b""),
        drip(b"HTTP/1.1 ", b"2"),
        drip(b"HTTP/1.1 200 OK\r\n", b"X"),
        drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        drip(ok(b"", "Content-Length: 1000"), b"x"),
        drip(ok(b""), b"x"),
        drip(ok(b"", CHUNKED), b"1\r\nx\r\n"),
        drip(ok(b"0\r\n", CHUNKED), b"X: y\r\n"),
        drip(moved("/1.jpg")[:-2], b"X"),
    ],
    ids=[
        "silence",
        "status",
        "a header",
        "headers",
        "continue",
        "length",
        "no length",
        "chunks",
        "trailers",
        "redirect",
    ],
)
def test_a_server_that_drips_is_given_up_in_time(
    answer: Callable[[socket.socket, threading.Event], None],
    server: Server,
    lookups: object,
    open_urls: Callable[..., UrlPictures],
) -> None:
    server.answers["/1.jpg"] = answer
    started = time.monotonic()
    source = open_urls(PictureLimits(1000, 0.3))
    assert refusal(source, "http://pictures.test/1.jpg") is Code.IMAGE_TIMEOUT
    assert 0.25 < time.monotonic() - started < 5


def test_the_time_is_for_all_redirects_together(
    server: Server, lookups: object, open_urls: Callable[..., UrlPictures]
) -> None:
    def late(connection: socket.socket, stopped: threading.Event) -> None:
        stopped.wait(0.2)
        connection.sendall(moved("/1.jpg"))

    server.answers["/1.jpg"] = late
    started = time.monotonic()
    source = open_urls(PictureLimits(1000, 0.5, redirects=100))
    assert refusal(source, "http://pictures.test/1.jpg") is Code.IMAGE_TIMEOUT
    assert time.monotonic() - started < 5


def test_a_slow_lookup_is_given_up(open_urls: Callable[..., UrlPictures], monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(10) and [])
    started = time.monotonic()
    assert refusal(open_urls(PictureLimits(1000, 0.2)), "http://pictures.test/1.jpg") is Code.IMAGE_TIMEOUT
    assert time.monotonic() - started < 5
    answered.set()


@pytest.mark.parametrize("error", [socket.gaierror(-2, "Name or service not known"), UnicodeError("label too long")])
def test_a_lookup_that_fails_may_be_tried_again(
    error: Exception, open_urls: Callable[..., UrlPictures], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", failing)
    assert refusal(open_urls(), "http://pictures.test/1.jpg") is Code.IMAGE_URL_FAILED


def test_a_connection_that_is_refused_may_be_tried_again(server: Server, urls: UrlPictures) -> None:
    server.server_close()
    assert refusal(urls, "http://pictures.test/1.jpg") is Code.IMAGE_URL_FAILED


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(server: Server, lookups: dict[str, Any], authority: trustme.CA) -> Server:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("pictures.test").configure_cert(context)
    context.sni_callback = lambda _, name, __: server.names.append(name)
    server.tls = context
    server.answers["/1.jpg"] = ok(b"picture", "Content-Length: 7")
    lookups["other.test"] = [[HERE]]
    return server


def test_the_certificate_is_checked_for_the_name_not_the_address(
    tls: Server, urls: UrlPictures, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    assert urls.read("https://pictures.test/1.jpg") == b"picture"
    assert refusal(urls, "https://other.test/1.jpg") is Code.IMAGE_URL_FAILED
    assert tls.names == ["pictures.test", "other.test"]
    assert "\r\nHost: pictures.test\r\n" in tls.requests[0]
    assert len(tls.requests) == 1


def test_a_certificate_that_nobody_vouches_for_is_refused(tls: Server, urls: UrlPictures) -> None:
    assert refusal(urls, "https://pictures.test/1.jpg") is Code.IMAGE_URL_FAILED
    assert tls.requests == []


def test_a_handshake_that_never_ends_is_given_up(
    server: Server, lookups: object, open_urls: Callable[..., UrlPictures], monkeypatch: pytest.MonkeyPatch
) -> None:
    def mute(self: Talk) -> None:
        self.server.stopped.wait(10)

    monkeypatch.setattr(Talk, "handle", mute)
    started = time.monotonic()
    assert refusal(open_urls(PictureLimits(1000, 0.2)), "https://pictures.test/1.jpg") is Code.IMAGE_TIMEOUT
    assert time.monotonic() - started < 5
