"""Webhooks: what has happened is told to the receiver, signed, until it answers 2xx or 24 hours have passed."""

import base64
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from nurture.sandbox.people import SCANNER_AGENT, draw
from nurture.sandbox.store import Clock, Store

MOST_BYTES = 700_000  # The provider posts every 30 s or 768 kB, whichever comes first.
MOST_EVENTS = 1_000
KEPT_FOR = 24 * 3600.0
SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"


def private_key(file: Path) -> ec.EllipticCurvePrivateKey:
    """Return the signing key that is kept in a file only its owner reads; it is made once."""
    if not file.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as writer:
            writer.write(pem)
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{file} holds no elliptic curve key: give a P-256 key, or remove it to have one made")
    return key


def public_key(key: ec.EllipticCurvePrivateKey) -> str:
    """Return the public key as SendGrid shows it: base64 of the DER."""
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def signed(key: ec.EllipticCurvePrivateKey, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the two headers that sign a body: ECDSA P-256 with SHA-256 over timestamp and body."""
    signature = key.sign(str(timestamp).encode() + body, ec.ECDSA(hashes.SHA256()))
    return {SIGNATURE: base64.b64encode(signature).decode(), TIMESTAMP: str(timestamp)}


class Outbox:
    """What waits to be told to the receiver."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        receiver_url: str | None,
        key: ec.EllipticCurvePrivateKey,
        tracking_key: str,
        seed: int,
    ) -> None:
        """Tell everything to `receiver_url`; without one, nothing is kept to be told."""
        self._store, self._clock, self._key, self._seed = store, clock, key, seed
        self.receiver_url = receiver_url.rstrip("/") if receiver_url else None
        self._http = httpx.Client(timeout=30, trust_env=False, headers={"User-Agent": "SendGrid Event API"})
        self._tracking = (tracking_key, "")
        self._telling = threading.Lock()
        self._told: set[int] = set()  # of the rows at hand

    def add(self, db: sqlite3.Connection, rows: Iterable[tuple[str, str, float]]) -> None:
        """Keep (channel, body, made_at) until told; part of the transaction in which they happened."""
        if self.receiver_url:
            db.executemany("insert into outbox (channel, body, made_at) values (?, ?, ?)", rows)

    def waiting(self) -> int:
        """Return how many the receiver has not taken."""
        return self._store.read("select count(*) as waiting from outbox")[0]["waiting"]

    def tell(self, *, at_once: bool) -> int:
        """Tell what waits, in order (`at_once`: without regard to back-off); return how many are left."""
        with self._telling:
            last = 0
            while rows := self._store.read(
                "select outbox_no, channel, body, made_at, attempts from outbox"
                " where outbox_no > ? and (next_at <= ? or ?) order by outbox_no limit 4000",
                (last, time.time(), at_once),
            ):
                last = rows[-1]["outbox_no"]
                try:
                    for channel, group in self._posts(rows):
                        self._settle(group, self._post(channel, group))
                except httpx.TransportError:
                    self._put_off([row for row in rows if row["outbox_no"] not in self._told])
                    break
        return self.waiting()

    def _posts(self, rows: Sequence[sqlite3.Row]) -> Iterator[tuple[str, list[sqlite3.Row]]]:
        """Group rows into posts: events in shuffled batches as the provider does, calls by the hundred."""
        self._told = set()
        events = [row for row in rows if row["channel"] == "event"]
        if events:
            # Nothing promises an order: most events move a little, a few far.
            chance = draw(self._seed, "order", events[0]["body"])
            far = len(events)
            places = {row["outbox_no"]: chance.uniform(0, far if chance.random() < 0.03 else 40) for row in events}
            order = {row["outbox_no"]: place + places[row["outbox_no"]] for place, row in enumerate(events)}
            events.sort(key=lambda row: order[row["outbox_no"]])
        yield from (("event", group) for group in _batches(events, MOST_EVENTS))
        yield from (("track", group) for group in _batches([r for r in rows if r["channel"] == "track"], 100))
        yield from ((row["channel"], [row]) for row in rows if row["channel"] not in ("event", "track"))

    def _post(self, channel: str, group: list[sqlite3.Row]) -> bool:
        """Post one group; return whether it needs no further attempt."""
        if channel == "event":
            body = f"[{','.join(row['body'] for row in group)}]".encode()
            headers = {"Content-Type": "application/json", **signed(self._key, int(self._clock.now()), body)}
            return self._send("POST", "/webhooks/sendgrid", content=body, headers=headers).is_success
        if channel == "track":
            body = f'{{"batch":[{",".join(row["body"] for row in group)}]}}'.encode()
            headers = {"Content-Type": "application/json"}
            return self._send("POST", "/v1/batch", content=body, headers=headers, auth=self._tracking).is_success
        detail = json.loads(group[0]["body"])
        if channel == "reply":
            return not self._reply(detail).is_server_error  # 4xx drops a reply for ever, as the real service does.
        place = urlsplit(detail["url"])  # Only the path is followed, and only to the receiver: never to the network.
        if channel == "scan":
            self._send("GET", place.path, headers={"User-Agent": SCANNER_AGENT})
            return True
        # A mail client posts the first field alone; the second carries the sandbox's time to our own receiver.
        content = {"List-Unsubscribe": "One-Click", "occurred_at": detail["occurred_at"]}
        return not self._send("POST", place.path, data=content, auth=self._tracking).is_server_error

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._http.request(method, f"{self.receiver_url}{path}", **options)

    def _reply(self, fields: dict[str, str]) -> httpx.Response:
        charsets = json.loads(fields["charsets"])
        parts = {
            name: (None, value.encode(charsets.get(name, "utf-8"), errors="replace")) for name, value in fields.items()
        }
        request = self._http.build_request("POST", f"{self.receiver_url}/webhooks/sendgrid/inbound", files=parts)
        request.headers.update(signed(self._key, int(self._clock.now()), request.read()))
        return self._http.send(request)

    def _settle(self, group: list[sqlite3.Row], is_done: bool) -> None:
        self._told.update(row["outbox_no"] for row in group)
        if not is_done:
            self._put_off(group)
            return
        with self._store.write() as db:
            db.executemany("delete from outbox where outbox_no = ?", [(row["outbox_no"],) for row in group])

    def _put_off(self, rows: list[sqlite3.Row]) -> None:
        """Try again later, ever later; what is older than 24 hours is lost, as the provider loses it."""
        lost_before = self._clock.now() - KEPT_FOR
        with self._store.write() as db:
            db.executemany(
                "delete from outbox where outbox_no = ?",
                [(row["outbox_no"],) for row in rows if row["made_at"] < lost_before],
            )
            db.executemany(
                "update outbox set attempts = attempts + 1, next_at = ? where outbox_no = ?",
                [(time.time() + min(2.0 ** row["attempts"], 300.0), row["outbox_no"]) for row in rows],
            )

    def close(self) -> None:
        """Close the connection to the receiver."""
        self._http.close()


def _batches(rows: list[sqlite3.Row], most: int) -> Iterator[list[sqlite3.Row]]:
    batch: list[sqlite3.Row] = []
    size = 0
    for row in rows:
        if batch and (len(batch) >= most or size + len(row["body"]) > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += len(row["body"].encode())
    if batch:
        yield batch
