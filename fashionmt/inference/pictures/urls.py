"""Pictures that are named by http(s) addresses, fetched so that no catalogue reaches what only this machine can."""

import re
import ssl
import string
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import quote, urljoin, urlsplit

from fashionmt.inference.pictures.addresses import Policy, public_web
from fashionmt.inference.pictures.connection import Deadline, Endpoint, TimedSocket, dial, resolve, secure
from fashionmt.inference.pictures.per_process import PerProcess
from fashionmt.inference.pictures.source import PictureLimits, PictureRefused, too_large
from fashionmt.problems import Code

PORTS = {"http": 80, "https": 443}
CONTROL = re.compile("[\0-\x1f\x7f]")
HOST = re.compile(r"[a-z0-9._:-]{1,253}")
HEADERS = {"User-Agent": "fashionmt", "Accept": "image/*", "Connection": "close"}
MOVED = (301, 302, 303, 307, 308)
GONE = (404, 410)
PASSING = (408, 425, 429)
"""What a server answers that may answer otherwise later, besides its own errors from 500 on."""
COMPRESSED = ("gzip", "deflate", "compress", "br", "zstd")
BLOCK = 1 << 16
LOOKUPS = 8  # threads, at most: a lookup cannot be stopped, only left behind


@dataclass(frozen=True)
class Target:
    """An address, in parts."""

    scheme: str
    host: str
    port: int
    path: str
    """With the query; ASCII."""

    @classmethod
    def of(cls, url: str) -> "Target":
        """Raises `PictureRefused` for what is not fetched."""
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").encode("idna").decode("ascii").lower()
            port = PORTS.get(parts.scheme) if parts.port is None else parts.port
            path = quote(f"{parts.path or '/'}{'?' * bool(parts.query)}{parts.query}", safe=string.punctuation)
        except ValueError:  # UnicodeError too
            raise _refused("not an address that can be read") from None
        # urlsplit itself drops some control characters, and others read them otherwise than it does.
        if CONTROL.search(url) or not HOST.fullmatch(host):
            raise _refused("not an address that can be read")
        if parts.scheme not in PORTS or port is None:
            raise _refused("neither http nor https")
        if "@" in parts.netloc:
            raise _refused("an address with a user name")
        return cls(parts.scheme, host, port, path)

    @property
    def host_header(self) -> str:
        """What the server is asked for."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True)
class Moved:
    """An answer that names another address."""

    url: str


class Network:
    """What fetching keeps from one picture to the next."""

    def __init__(self) -> None:
        self.lookups = ThreadPoolExecutor(LOOKUPS, "lookup")

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """The certificates that vouch for others; read when the first https address comes."""
        return ssl.create_default_context()

    def close(self) -> None:
        """Wait for no lookup."""
        self.lookups.shutdown(wait=False, cancel_futures=True)


class UrlPictures:
    """Pictures by http(s) address.

    Each address, and each that one leads to, is resolved once; all that its host resolves to has to be public; and
    what was checked is what is dialled. Nothing is sent along: no cookies, no credentials; no proxy is asked.
    """

    def __init__(self, limits: PictureLimits, policy: Policy = public_web) -> None:
        """`policy`: which addresses may be dialled."""
        self.limits = limits
        self._policy = policy
        self._network = PerProcess(Network)

    def read(self, name: str) -> bytes:
        """What lies at an address. Raises `PictureRefused`."""
        try:
            return self._follow(name, Deadline(self.limits.seconds))
        except PictureRefused:
            raise
        except TimeoutError:
            raise PictureRefused.of(Code.IMAGE_TIMEOUT, f"not there after {self.limits.seconds:g} seconds") from None
        except (OSError, HTTPException, ValueError) as error:
            raise PictureRefused.of(Code.IMAGE_URL_FAILED, error) from None

    def close(self) -> None:
        """Let go of the lookups."""
        self._network.close()

    def _follow(self, url: str, deadline: Deadline) -> bytes:
        for _ in range(self.limits.redirects + 1):
            answer = self._fetch(Target.of(url), deadline)
            if isinstance(answer, bytes):
                return answer
            url = urljoin(url, answer.url)
        raise _refused(f"over {self.limits.redirects} redirects")

    def _fetch(self, target: Target, deadline: Deadline) -> bytes | Moved:
        with closing(dial(self._resolve(target, deadline), deadline)) as plain:
            if target.scheme == "http":
                return self._ask(target, TimedSocket(plain, deadline))
            with secure(plain, target.host, self._network.get().tls, deadline) as safe:
                return self._ask(target, TimedSocket(safe, deadline))

    def _resolve(self, target: Target, deadline: Deadline) -> list[Endpoint]:
        """In a thread of its own, as the system's resolver knows no deadline."""
        looked_up = self._network.get().lookups.submit(resolve, target.host, target.port, self._policy)
        try:
            return looked_up.result(deadline.left())
        finally:
            looked_up.cancel()

    def _ask(self, target: Target, connection: TimedSocket) -> bytes | Moved:
        client = HTTPConnection(target.host, target.port)
        client.sock = connection
        client.request("GET", target.path, headers={"Host": target.host_header, **HEADERS})
        answer = client.getresponse()
        location = answer.headers.get("Location")
        if answer.status in MOVED and location:
            return Moved(quote(location, encoding="latin-1", safe=string.punctuation))  # the bytes as they were sent
        if answer.status != 200:
            raise PictureRefused.of(_code(answer.status), f"the server answered {answer.status}")
        return _body(answer, self.limits.max_bytes)


def _body(answer: HTTPResponse, max_bytes: int) -> bytes:
    """All of it, read in blocks, as its stated length may be a lie."""
    # Others are harmless untruths: objects lie in stores as "utf-8" or "aws-chunked".
    if any(coding in answer.headers.get("Content-Encoding", "").lower() for coding in COMPRESSED):
        raise _refused("the server answered with compressed content")
    stated = answer.length
    if stated is not None and stated > max_bytes:
        raise too_large(max_bytes)
    content, block = bytearray(), bytearray(BLOCK)
    while count := answer.readinto(block):
        content += block[:count]
        if len(content) > max_bytes:
            raise too_large(max_bytes)
    if stated is not None and len(content) < stated:
        raise PictureRefused.of(Code.IMAGE_URL_FAILED, f"it ended after {len(content)} of {stated} bytes")
    return bytes(content)


def _code(status: int) -> Code:
    """What an answer without a picture means: a server's no (401, 403, ...) is not asked again."""
    if status in GONE:
        return Code.IMAGE_NOT_FOUND
    if 400 <= status < 500 and status not in PASSING:
        return Code.IMAGE_URL_REFUSED
    return Code.IMAGE_URL_FAILED


def _refused(message: str) -> PictureRefused:
    return PictureRefused.of(Code.IMAGE_URL_REFUSED, message)
