"""Those who are told: an SMTP server and an HTTP server that keep every message they take."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

_ITEM = re.compile(r"^(OPEN|WORSE|RECOVERED) (?:warn|error): (.+)$", re.MULTILINE)
_INCIDENT = re.compile(r"^incident: ([0-9a-f]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Message:
    notice_id: str
    subject: str
    body: str

    def changes(self) -> list[tuple[str, str]]:
        """What it tells: (OPEN, incident) and the like."""
        marks = [mark for mark, _ in _ITEM.findall(self.body)]
        return list(zip(marks, _INCIDENT.findall(self.body), strict=True))


@dataclass
class Receiver:
    """``url`` is apprise's; ``refuse`` lets the server answer with an error."""

    url: str = ""
    messages: list[Message] = field(default_factory=list)
    refuse: bool = False

    def once(self) -> list[Message]:
        """The messages less repeats of the same notice."""
        return list({one.notice_id: one for one in self.messages}.values())

    def changes(self) -> Counter[tuple[str, str]]:
        """How often each change was told, repeats of a notice dropped."""
        return Counter(change for one in self.once() for change in one.changes())


class _Mailbox:
    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver

    async def handle_DATA(self, server: object, session: object, envelope) -> str:  # noqa: N802
        if self.receiver.refuse:
            return "451 try again later"
        mail = message_from_bytes(envelope.content, policy=policy.default)
        body = mail.get_body(("plain",))
        text = body.get_content().replace("\r\n", "\n")
        self.receiver.messages.append(Message(mail["X-Etl-Notice"], mail["Subject"], text))
        return "250 taken"


@pytest.fixture
def mailbox() -> Iterator[Receiver]:
    """A real SMTP server on loopback."""
    from aiosmtpd.controller import Controller

    receiver = Receiver()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(_Mailbox(receiver), hostname="127.0.0.1", port=port)
    controller.start()
    receiver.url = f"mailto://127.0.0.1:{port}?from=etl@example.com&to=ops@example.com"
    yield receiver
    controller.stop()


@pytest.fixture
def webhook() -> Iterator[Receiver]:
    """A real HTTP server on loopback that takes JSON."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"]))
            if not receiver.refuse:
                told = json.loads(text)
                receiver.messages.append(
                    Message(self.headers["X-Etl-Notice"], told["title"], told["message"])
                )
            self.send_response(503 if receiver.refuse else 200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    receiver.url = f"json://127.0.0.1:{server.server_address[1]}/hook"
    yield receiver
    server.shutdown()
    server.server_close()
