"""Weights: a broken download goes on where it stopped, a checksum is compared before every use, and nothing else is believed."""

from __future__ import annotations

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from engine import weights
from engine.failures import SetupFailure

CONTENT = bytes(range(256)) * 8000
NAME = "net"


class Shop(BaseHTTPRequestHandler):
    """Sends CONTENT, from where it is asked to; each answer ends after `breaks[0]` bytes while there are any."""

    breaks: list[int] = []
    asked: list[str] = []
    resumes = True

    def do_GET(self):
        wanted = self.headers.get("Range", "")
        self.asked.append(wanted)
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted).group(1)) if wanted and self.resumes else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if wanted and self.resumes else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start:][: self.breaks.pop(0) if self.breaks else None])

    def log_message(self, *words):
        """Silent."""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A server on this machine, and a table whose one entry lies there."""
    server = HTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Shop.breaks, Shop.asked, Shop.resumes = [], [], True
    entry = weights.Weights(
        NAME, "net.pth", "To test", "none", f"http://127.0.0.1:{server.server_port}/net.pth", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT),
    )
    monkeypatch.setattr(weights, "table", lambda: {NAME: entry})
    monkeypatch.setenv("UNFLATTEN_WEIGHTS", str(tmp_path / "weights"))
    yield tmp_path / "weights"
    server.shutdown()
    server.server_close()


def test_a_broken_download_goes_on_where_it_stopped(shop):
    Shop.breaks, told = [700_000, 300_000], []
    for come in (700_000, 1_000_000):
        with pytest.raises(SetupFailure, match="broken off") as failure:
            weights.fetch(NAME)
        assert "goes on where it stopped" in failure.value.remedy and str(come) in failure.value.why
        assert weights.find(NAME) is None
    path = weights.fetch(NAME, lambda done, total: told.append((done, total)))
    assert Shop.asked == ["", "bytes=700000-", "bytes=1000000-"]
    assert path.read_bytes() == CONTENT and weights.find(NAME) == path and [it.name for it in shop.iterdir()] == ["net.pth"]
    assert told[0][0] > 1_000_000 and told[-1] == (len(CONTENT), len(CONTENT))


def test_a_server_that_cannot_go_on_sends_all_again(shop):
    Shop.breaks, Shop.resumes = [500_000], False
    with pytest.raises(SetupFailure):
        weights.fetch(NAME)
    assert weights.fetch(NAME).read_bytes() == CONTENT


def test_a_damaged_part_is_thrown_away(shop):
    shop.mkdir()
    (shop / ".net.pth.part").write_bytes(b"x" * 1000)
    with pytest.raises(SetupFailure, match="is damaged"):
        weights.fetch(NAME)
    assert list(shop.iterdir()) == [] and weights.fetch(NAME).read_bytes() == CONTENT
    (shop / ".net.pth.part").write_bytes(CONTENT)  # it broke off after the last byte
    assert weights.fetch(NAME).read_bytes() == CONTENT


def test_ones_own_copy_is_remembered_and_compared_before_every_use(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "table", lambda: {NAME: weights.Weights(NAME, "net.pth", "To test", "none")})
    with pytest.raises(SetupFailure, match="cannot be fetched"):
        weights.fetch(NAME)
    (tmp_path / "copy.pth").write_bytes(b"my own weights")
    path = weights.install(NAME, tmp_path / "copy.pth")
    assert weights.need(NAME) == path
    path.write_bytes(b"my own weighty")
    with pytest.raises(SetupFailure, match="not those that were installed") as failure:
        weights.need(NAME)
    assert failure.value.code == "weights-damaged" and "weights import net FILE" in failure.value.remedy
    weights.install(NAME, tmp_path / "copy.pth")
    (shop / "net.pth.sha256").unlink()
    with pytest.raises(SetupFailure, match="not those"):
        weights.need(NAME)
