"""Who may ask the viewer what: other pages, other names, other machines, Gradio's own routes."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.datastructures import Headers

from socialr1_lite.viewer import door, shell
from socialr1_lite.viewer.door import CALL, Door, House, is_loopback, refusal
from tests.viewer.conftest import PATIENCE_MS

HERE = House()
ASK = {"host": "127.0.0.1:7860", "content-type": "application/json"}


def answer(house: House = HERE, method: str = "POST", path: str = CALL, **headers: str) -> int:
    """The status of a refusal, 0 where the request is passed on."""
    given = ASK | {name.replace("_", "-"): value for name, value in headers.items()}
    found = refusal(house, method, path, Headers(given))
    return found[0] if found else 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 0),  # curl, a script on this machine
        ({"sec_fetch_site": "same-origin", "origin": "http://127.0.0.1:7860"}, 0),
        ({"origin": "http://127.0.0.1:7860"}, 0),  # a browser that says no more
        ({"sec_fetch_site": "cross-site", "origin": "https://evil.example"}, 403),
        ({"sec_fetch_site": "same-site", "origin": "http://127.0.0.1:3000"}, 403),  # another program's page
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:3000"}, 403),
        ({"origin": "http://127.0.0.1.evil.example:7860"}, 403),
        ({"origin": "null"}, 403),  # a sandboxed frame, a file
        ({"origin": ""}, 403),
        ({"host": "evil.example:7860"}, 400),
        ({"host": "127.0.0.1.evil.example"}, 400),
        ({"host": ""}, 400),
        ({"host": "[::1]:7860"}, 0),
        ({"content_type": "text/plain"}, 415),  # what a form of another page can send without asking first
        ({"content_type": "multipart/form-data; boundary=x"}, 415),
        ({"content_length": str(door.MAX_BODY)}, 0),
        ({"content_length": str(door.MAX_BODY + 1)}, 413),
        ({"content_length": "-1"}, 413),
    ],
)
def test_who_may_ask(headers: dict[str, str], status: int) -> None:
    assert answer(HERE, **headers) == status


def test_behind_a_proxy_and_in_colab_the_own_page_has_another_origin_than_the_machine() -> None:
    colab = House.of("127.0.0.1", share=False, framed=True, token="", environ={"COLAB_RELEASE_TAG": "1"})
    own = {"origin": "https://abc-7860-colab.googleusercontent.com"}
    assert answer(colab, **own) == 0 and answer(colab, **own, sec_fetch_site="same-origin") == 0
    assert answer(colab, **own, sec_fetch_site="cross-site") == 403
    assert answer(colab, host="7860-m-s-x.us-east1-0.prod.colab.dev", origin="https://evil.example") == 403
    proxied = House.of(
        "127.0.0.1", share=False, framed=False, token="", environ={"GRADIO_ROOT_PATH": "https://hub.example/user/a"}
    )
    assert answer(proxied, host="hub.example", origin="https://hub.example") == 0
    assert answer(proxied, origin="https://hub.example") == 0 and answer(HERE, origin="https://hub.example") == 403
    assert answer(proxied, host="other.example") == 400
    assert answer(HERE, x_forwarded_host="me.example", origin="https://me.example") == 0


def test_a_link_from_anywhere_opens_the_page_and_reads_nothing() -> None:
    away = {"sec_fetch_site": "cross-site"}
    assert answer(HERE, "GET", "/", **away, sec_fetch_mode="navigate") == 0
    assert answer(HERE, "GET", "/", **away, sec_fetch_mode="cors") == 403
    assert answer(HERE, "GET", "/config", **away, sec_fetch_mode="navigate") == 403
    assert answer(HERE, "POST", "/", **away, sec_fetch_mode="navigate") == 405
    assert answer(HERE, "OPTIONS", CALL, origin="https://evil.example") == 405


@pytest.mark.parametrize(
    "path",
    [
        *("/gradio_api/upload", "/gradio_api/queue/join", "/gradio_api/queue/data", "/gradio_api/run/predict"),
        *("/gradio_api/call/x", "/gradio_api/file=x", "/gradio_api/proxy=http://x", "/gradio_api/stream/x", "/login"),
        *("/gradio_api/heartbeat/x", "/gradio_api/info", "/gradio_api/component_server_", "/monitoring", "/docs"),
        *("/gradio_api/vibe-edit", "/gradio_api/process_recording", "/gradio_api/reset", "/gradio_api/cancel"),
    ],
)
def test_gradio_s_other_routes_are_closed(path: str) -> None:
    assert {answer(HERE, method, path) for method in ("GET", "POST", "PUT", "OPTIONS")} == {404}


def test_only_notebooks_frame_the_page() -> None:
    frames = {
        kind: House.of("127.0.0.1", share=False, framed=framed, token="", environ=environ).frames
        for kind, framed, environ in (
            ("terminal", False, {}), ("jupyter", True, {}), ("colab", True, {"COLAB_GPU": "0"}), ("!python", False, {"COLAB_GPU": "0"}),
        )
    }  # fmt: skip
    assert frames["terminal"] == frames["!python"] == "'none'"
    assert "http://localhost:*" in frames["jupyter"] and "colab" not in frames["jupyter"]
    assert "https://colab.research.google.com" in frames["colab"] and "http://localhost:*" in frames["colab"]


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("[::1]", True), ("127.9.9.9", True),
     ("0.0.0.0", False), ("::", False), ("192.168.1.5", False), ("gpubox", False), ("localhost.evil.example", False)],
)  # fmt: skip
def test_what_only_this_machine_reaches(host: str, alone: bool) -> None:
    assert is_loopback(host) is alone


def spoken(house: House, path: str, query: str = "", body: int = 0, **headers: str) -> tuple[int, dict[str, str], int]:
    """Status, headers, and how many bytes came through to the app behind the door."""
    sent: list[Any] = []
    through = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal through
        while (message := await receive())["type"] == "http.request":
            through += len(message["body"])
            if not message["more_body"]:
                break
        assert "token" not in scope["query_string"].decode()
        await send({"type": "http.response.start", "status": 200 if message["type"] == "http.request" else 499})

    async def receive() -> Any:
        nonlocal body
        part = min(body, 1 << 24)
        body -= part
        return {"type": "http.request", "body": bytes(part), "more_body": body > 0}

    async def send(message: Any) -> None:
        sent.append(message)

    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in (ASK | headers).items()]
    method = "POST" if path == CALL else "GET"
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": given}
    asyncio.run(Door(app, house)(scope, receive, send))
    return sent[0]["status"], {n.decode(): v.decode() for n, v in sent[0].get("headers", [])}, through


def test_a_body_without_a_length_ends_where_it_is_too_long() -> None:
    assert spoken(HERE, CALL, body=20 << 20)[0] == 200
    status, _, through = spoken(HERE, CALL, body=door.MAX_BODY + (40 << 20))
    assert status == 499 and through <= door.MAX_BODY


def test_other_machines_need_the_token_once() -> None:
    house = House(names=None, token="s3cret-word")
    for path, query in (("/", ""), (CALL, ""), ("/config", ""), (CALL, "token=s3cret-word"), ("/", "token=s3cret")):
        assert spoken(house, path, query)[0] == 401, (path, query)
    assert spoken(house, door.STARTED)[0] == 200  # gradio asks its own server this
    status, headers, _ = spoken(house, "/", "run=a&token=s3cret-word&q=b")
    assert (status, headers["location"]) == (303, "?run=a&q=b")
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie
    held = cookie.partition(";")[0]
    assert spoken(house, CALL, cookie=f"other=1; {held}")[0] == spoken(house, "/", cookie=held)[0] == 200
    assert spoken(house, CALL, cookie=held.replace("s3cret", "guess"))[0] == 401
    assert spoken(House(names=None, token="another"), CALL, cookie=held)[0] == 401  # of a viewer at another port


@pytest.mark.parametrize("odd", ["a[b]=1", 'x={"y": 1, "z": 2}', "=", ";;", "nothing", "u:v=w", 'q="', "é=ü"])
@pytest.mark.parametrize("order", ["{odd}; {held}", "{held}; {odd}"])
def test_another_s_odd_cookie_locks_nobody_out(odd: str, order: str) -> None:
    """All ports of a machine share their cookies; http.cookies gives up at the first that it does not understand."""
    house = House(names=None, token="s3cret-word")
    held = f"{house.cookie}=s3cret-word"
    assert spoken(house, CALL, cookie=order.format(odd=odd, held=held))[0] == 200
    assert spoken(house, CALL, cookie=order.format(odd=odd, held=f"{house.cookie}=guess"))[0] == 401
    assert spoken(house, CALL, cookie=odd)[0] == 401


def test_the_address_that_is_printed_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    app = type("App", (), {"server_port": 7861, "root_path": ""})()
    assert shell.addresses(app, "127.0.0.1", "") == ["The viewer is at http://127.0.0.1:7861/ (Ctrl-C ends it)"]
    monkeypatch.setattr("socket.gethostname", lambda: "gpubox")
    assert "http://gpubox:7861/?token=abc " in shell.addresses(app, "0.0.0.0", "abc")[0]
    assert "http://[::2]:7861/?token=abc " in shell.addresses(app, "::2", "abc")[0]
    monkeypatch.setattr(shell, "colab_address", lambda port: f"https://x-{port}-colab.googleusercontent.com/")
    assert "https://x-7861-colab.googleusercontent.com/" in shell.addresses(app, "127.0.0.1", "")[-1]
    monkeypatch.setattr(shell, "colab_address", lambda port: "")
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ann/")
    assert "/user/ann/proxy/7861" in shell.addresses(app, "127.0.0.1", "")[-1]
    app.root_path = "https://hub.example/user/ann/proxy/7861"
    assert f"at {app.root_path}/ (GRADIO_ROOT_PATH)" in shell.addresses(app, "127.0.0.1", "")[-1]


def asked(
    address: str, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str]]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    reply = connection.getresponse()
    return reply.status, {name.lower(): value for name, value in reply.getheaders()}


def test_the_running_viewer_has_the_door_outermost(address: str) -> None:
    body = json.dumps({"data": {}, "component_id": 1, "fn_name": "runs", "session_hash": "x"}).encode()
    for method in ("POST", "OPTIONS"):
        for origin in ("http://localhost:3000", "https://evil.example"):
            status, headers = asked(
                address, method, f"{CALL}/", body, origin=origin, content_type="application/json",
                access_control_request_method="POST",
            )  # fmt: skip
            assert status in (403, 405) and not [name for name in headers if name.startswith("access-control")]
    assert asked(address, "POST", f"{CALL}/", body, content_type="application/json")[0] == 200
    assert asked(address, "POST", "/gradio_api/upload", b"x")[0] == 404
    assert "frame-ancestors 'none'" in asked(address, "GET", "/")[1]["content-security-policy"]


class Served(ThreadingHTTPServer):
    """A page of somebody else, and a proxy that shows the viewer below /lab/viewer/, as nginx does."""

    daemon_threads = True
    pages: dict[str, str]
    viewer: str

    @property
    def address(self) -> str:
        return f"http://localhost:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Served
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path in self.server.pages:
            return self.reply(200, {"content-type": "text/html"}, self.server.pages[self.path].encode())
        if not self.path.startswith("/lab/viewer/"):
            return self.reply(404, {}, b"")
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        onward = http.client.HTTPConnection(urlsplit(self.server.viewer).netloc, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        onward.request(
            self.command, self.path.removeprefix("/lab/viewer"), body, headers | {"accept-encoding": "identity"}
        )
        answer = onward.getresponse()
        kept = {n: v for n, v in answer.getheaders() if n.lower() not in ("content-length", "transfer-encoding")}
        self.reply(answer.status, kept, answer.read())

    do_POST = do_GET

    def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def elsewhere() -> Iterator[Served]:
    server = Served(("127.0.0.1", 0), Handler)
    server.pages = {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def frame_of(page: Any, selector: str = ".s1-main[data-ready]") -> Any:
    frame = page.frame_locator("iframe")
    frame.locator(selector).wait_for(timeout=PATIENCE_MS)
    return frame


@pytest.mark.slow
def test_another_page_neither_drives_nor_frames_the_viewer(browser: Any, address: str, elsewhere: Served) -> None:
    call = json.dumps({"data": {}, "component_id": 1, "fn_name": "runs", "session_hash": "x"})
    elsewhere.pages["/"] = f"<title>evil</title><iframe src='{address}'></iframe>"
    context = browser.new_context()
    page = context.new_page()
    page.goto(elsewhere.address)
    tried = page.evaluate(
        """async ([address, call]) => {
          const tell = async (options) => {
            try { return (await fetch(address + 'gradio_api/component_server/', options)).type; } catch { return 'refused'; }
          };
          const form = new FormData();
          form.set('data', 'x');
          return [
            await tell({method: 'POST', body: call, headers: {'Content-Type': 'application/json'}}),
            await tell({method: 'POST', body: call}),
            await tell({method: 'POST', body: form, credentials: 'include'}),
          ];
        }""",
        [address, call],
    )
    assert tried == ["refused"] * 3
    page.wait_for_timeout(1500)
    assert page.frame_locator("iframe").locator(".s1-main").count() == 0
    context.close()


@pytest.mark.slow
def test_the_frames_of_jupyter_and_colab_work(
    browser: Any, places: Path, elsewhere: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    from socialr1_lite.viewer import launch

    monkeypatch.setenv("COLAB_RELEASE_TAG", "1")
    app = launch([places], prevent_thread_lock=True, inline=True)
    elsewhere.pages["/"] = f"<title>Jupyter</title><iframe src='{app.local_url}' width=900 height=700></iframe>"
    context = browser.new_context()
    page = context.new_page()
    page.goto(elsewhere.address)
    frame = frame_of(page)
    frame.locator("[data-run=first]").click()
    frame.locator(".tiles").wait_for()

    shown = "https://abc-7860-colab.googleusercontent.com/"  # Colab's proxy: another name, the machine's own Host

    def proxied(route: Any) -> None:
        headers = {**route.request.all_headers(), "host": urlsplit(app.local_url).netloc}
        local = route.request.url.replace(shown, app.local_url)
        route.fulfill(response=route.fetch(url=local, headers=headers))

    outer = f"<title>Colab</title><iframe src='{shown}' width=900 height=700></iframe>"
    page.route("https://colab.research.google.com/", lambda route: route.fulfill(body=outer, content_type="text/html"))
    page.route(f"{shown}**", proxied)
    page.goto("https://colab.research.google.com/")
    frame_of(page).locator("[data-run=second]").wait_for()
    context.close()
    app.close(verbose=False)


@pytest.mark.slow
@pytest.mark.parametrize("whole", [False, True], ids=["path", "address"])
def test_behind_the_path_of_a_proxy(
    browser: Any, places: Path, elsewhere: Served, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    from socialr1_lite.viewer import launch

    monkeypatch.setenv("GRADIO_ROOT_PATH", f"{elsewhere.address if whole else ''}/lab/viewer")
    app = launch([places], prevent_thread_lock=True)
    elsewhere.viewer = str(app.local_url)
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{elsewhere.address}/lab/viewer/?run=first&screen=traces")
    page.locator(".s1-main[data-ready][data-screen=traces]").wait_for(timeout=PATIENCE_MS)
    assert page.locator("tr[data-trace]").count() == 50 and "/lab/viewer/" in page.url
    page.locator("text=Hack board").click()
    page.locator(".s1-main[data-screen=hacks]").wait_for()
    assert "/lab/viewer/?" in page.url
    context.close()
    app.close(verbose=False)


@pytest.mark.slow
def test_from_another_machine_the_printed_address_opens_the_viewer(browser: Any, places: Path) -> None:
    from socialr1_lite.viewer import launch

    app = launch([places], host="0.0.0.0", prevent_thread_lock=True)
    house = next(one.kwargs.get("house") or one.args[0] for one in app.app.user_middleware if one.cls is Door)
    context = browser.new_context()
    page = context.new_page()
    at = f"http://127.0.0.1:{app.server_port}/"
    page.goto(at)
    assert "asks for its token" in page.inner_text("body")
    page.goto(f"{at}?run=first&screen=traces&token={house.token}")
    page.locator(".s1-main[data-ready][data-screen=traces]").wait_for(timeout=PATIENCE_MS)
    assert "token" not in page.url
    context.close()
    app.close(verbose=False)
