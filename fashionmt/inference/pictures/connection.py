"""A connection to an address that was checked, which ends at a deadline whatever the other side does."""

import io
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from fashionmt.inference.pictures.addresses import Policy
from fashionmt.inference.pictures.source import PictureRefused
from fashionmt.problems import Code


class Deadline:
    """A moment after which nothing is waited for."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds. Raises `TimeoutError` where there are none."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds


@dataclass(frozen=True)
class Endpoint:
    """What a host name was resolved to."""

    family: socket.AddressFamily
    address: tuple[Any, ...]
    """As `socket.connect` takes it."""


def resolve(host: str, port: int, policy: Policy) -> list[Endpoint]:
    """The addresses of `host`, all of them allowed by `policy`. Raises `PictureRefused` where one is not: a name with
    a public address and a private one is made to deceive."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, address in found:
        if reason := policy(ip_address(address[0]), port):
            raise PictureRefused.of(Code.IMAGE_URL_REFUSED, f"{host}: {reason}")
    return [Endpoint(family, address) for family, *_, address in found]


def dial(endpoints: Sequence[Endpoint], deadline: Deadline) -> socket.socket:
    """Connected to the first that answers; each has its share of the time that is left. Raises `OSError`."""
    failed = OSError("the host has no address")
    for position, endpoint in enumerate(endpoints):
        try:
            return _connect(endpoint, deadline.left() / (len(endpoints) - position))
        except OSError as error:
            failed = error
    raise failed


def _connect(endpoint: Endpoint, seconds: float) -> socket.socket:
    connection = socket.socket(endpoint.family, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect(endpoint.address)
    except BaseException:
        connection.close()
        raise
    return connection


def secure(connection: socket.socket, host: str, context: ssl.SSLContext, deadline: Deadline) -> ssl.SSLSocket:
    """The same by TLS, with a certificate for `host`, not for its address. Raises `OSError`."""
    connection.settimeout(deadline.left())  # of the handshake as a whole
    return context.wrap_socket(connection, server_hostname=host)


class TimedSocket:
    """As much of a socket as `http.client` uses. Whoever made the connection closes it."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def sendall(self, content: bytes) -> None:
        """Send it all."""
        self._connection.settimeout(self._deadline.left())
        self._connection.sendall(content)

    def makefile(self, mode: str) -> io.BufferedReader:
        """What comes in."""
        return io.BufferedReader(_TimedReader(self._connection, self._deadline))

    def close(self) -> None:
        """`http.client` closes before the body is read."""


class _TimedReader(io.RawIOBase):
    """What a connection brings. A socket's own timeout starts again with every byte that drips in."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(self._deadline.left())
        return self._connection.recv_into(buffer)
