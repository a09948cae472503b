"""Wire: a TCP proxy between one worker and the provider, which counts the requests and can fail at a given byte."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

CHUNK = 65_536
POINTS = ("mid-upload", "after acceptance", "mid-answer")


class Wire:
    """One port of 127.0.0.1 whose connections lead to another."""

    def __init__(self, target: int) -> None:
        """Listen, and forward until `close`."""
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._point, self._nth, self._strike = "", 0, None
        threading.Thread(target=self._serve, daemon=True).start()

    def arm(self, point: str, nth: int, strike: Callable[[], bool]) -> None:
        """At a point of the nth request to send, call `strike`; True from it cuts the connection there."""
        self._point, self._nth, self._strike = point, nth, strike

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client:
            try:
                with socket.create_connection(("127.0.0.1", self._target)) as provider:
                    self._exchange(client, provider)
            except OSError:  # the worker or the provider is gone: so is the connection
                _reset(client)

    def _exchange(self, client: socket.socket, provider: socket.socket) -> None:
        """Carry one request and its answer: the library makes a connection for each."""
        read = b""
        while b"\r\n\r\n" not in read:
            read += _received(client)
        at = self._point_of(read)
        whole = _length(read)
        halfway, carried = whole // 2, 0
        while True:
            if at == "mid-upload" and carried + len(read) > halfway:
                provider.sendall(read[: halfway - carried])
                read, carried, at = read[halfway - carried :], halfway, ""
                if self._struck():
                    return _reset(client)
            provider.sendall(read)
            carried += len(read)
            if carried >= whole:
                break
            read = _received(client)
        first = provider.recv(CHUNK)
        if at == "after acceptance" and first and self._struck():
            return _reset(client)
        if at == "mid-answer" and first:
            client.sendall(first[: len(first) // 2])
            if self._struck():
                return _reset(client)
            first = first[len(first) // 2 :]
        while first:
            client.sendall(first)
            first = provider.recv(CHUNK)
        return None

    def _point_of(self, head: bytes) -> str:
        if not head.startswith(b"POST /v3/mail/send"):
            return ""
        self._nth -= 1
        return self._point if self._nth == 0 else ""

    def _struck(self) -> bool:
        return self._strike is not None and self._strike()


def _received(sender: socket.socket) -> bytes:
    chunk = sender.recv(CHUNK)
    if not chunk:
        raise ConnectionResetError
    return chunk


def _length(head: bytes) -> int:
    """Return how many bytes a request has."""
    names = head.partition(b"\r\n\r\n")[0]
    for line in names.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(names) + 4 + int(value)
    return len(names) + 4


def _reset(client: socket.socket) -> None:
    with suppress(OSError):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
