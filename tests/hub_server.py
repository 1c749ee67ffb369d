"""A hub on this machine: as much of its HTTP interface as making a repository and committing to it needs."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_" + "aZ09" * 8


@dataclass
class Repository:
    """What lies in it after the last commit, and the messages of all."""

    private: bool
    tags: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)


@dataclass
class Hub:
    """refuse: the status of every request but those to look, with what the hub says. held: it does not answer yet."""

    address: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    refuse: int = 0
    asked: int = 0
    held: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.held.set()

    def answer(self, method: str, path: str, body: bytes, token: str) -> tuple[int, object]:
        """Return status and JSON."""
        self.asked += 1
        self.held.wait(60)
        if token != f"Bearer {TOKEN}":
            return 401, {"error": "Invalid username or password."}
        if method == "GET":
            name = path.removeprefix("/api/models/")
            there = self.repositories.get(name)
            facts = there and {"siblings": [{"rfilename": one} for one in there.files], "tags": there.tags}
            return (200, {"id": name, "private": there.private} | facts) if there else (404, {"error": "not found"})
        if self.refuse:
            return self.refuse, {"error": "so it says"}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            if name in self.repositories:
                return 409, {"error": "You already created this model repo", "url": f"{self.address}/{name}"}
            self.repositories[name] = Repository(asked.get("private", asked.get("visibility") == "private"))
            return 200, {"url": f"{self.address}/{name}"}
        name, _, action = path.removeprefix("/api/models/").rsplit("/", 2)[0], *path.rsplit("/", 2)[::-1][:2]
        if action == "preupload":
            files = [{"path": one["path"], "uploadMode": "regular"} for one in json.loads(body)["files"]]
            return 200, {"files": [one | {"shouldIgnore": False} for one in files]}
        there = self.repositories[name]
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "header":
                there.commits.append(line["value"]["summary"])
            else:
                there.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        there.tags = ["socialr1_lite"] * (b"socialr1_lite]" in there.files.get("README.md", b""))
        return 200, {"commitOid": "0" * 40, "commitUrl": f"{self.address}/{name}/commit/{'0' * 40}"}


@contextmanager
def serving() -> Iterator[Hub]:
    """Serve a hub without repositories."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            status, answer = hub.answer(self.command, path, body, self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if status >= 400:
                self.send_header("X-Error-Message", answer["error"])
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        hub.held.set()
        server.shutdown()
        server.server_close()
