"""A web server on this machine that answers as a test says."""

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable

HERE = "127.0.0.1"


class Server(socketserver.ThreadingTCPServer):
    """Answers a path with the bytes that it is told, or by a function that has the connection and a stop."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__((HERE, 0), Talk)
        self.answers: dict[str, bytes | Callable[[socket.socket, threading.Event], None]] = {}
        self.requests: list[str] = []
        self.names: list[str] = []
        """That TLS was asked for."""
        self.tls: ssl.SSLContext | None = None
        self.stopped = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever asked has gone: so it is meant."""


class Talk(socketserver.BaseRequestHandler):
    server: Server

    def handle(self) -> None:
        connection: socket.socket = self.request
        connection.settimeout(10)
        if self.server.tls is not None:
            connection = self.server.tls.wrap_socket(connection, server_side=True)
        with contextlib.closing(connection):
            asked = b""
            while b"\r\n\r\n" not in asked and (more := connection.recv(65536)):
                asked += more
            self.server.requests.append(asked.decode("latin-1"))
            answer = self.server.answers[self.server.requests[-1].split(" ")[1]]
            if isinstance(answer, bytes):
                connection.sendall(answer)
            else:
                answer(connection, self.server.stopped)


def ok(content: bytes, *headers: str) -> bytes:
    return "".join(f"{line}\r\n" for line in ("HTTP/1.1 200 OK", *headers)).encode("latin-1") + b"\r\n" + content


def moved(location: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
