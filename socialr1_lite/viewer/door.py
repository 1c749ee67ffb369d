"""The one door of the viewer: who may ask, from which page, for what, how much at once; and who may frame the answer.

    Door(app, House(names, token=...))     an ASGI app that refuses in one line, or passes on

A web page of somebody else runs in the same browser and can send requests to this machine. A browser says where a
request comes from: `Sec-Fetch-Site` (no page can forge it) over https and to localhost, `Origin` otherwise. A frame in
a notebook is a page of its own, so its requests are from the same origin, whatever frames it. Programs that are no
browser (curl) say neither, and are let in: on this machine they could read the files as well.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
ANY_HOST = ("0.0.0.0", "::")
COLAB_HOSTS = (
    *("*.googleusercontent.com", "*.colab.dev"),
    *("*.colab-user-runtimes.internal", "*.codatalab-user-runtimes.internal"),
)
NOTEBOOKS = (  # pages whose frames show the viewer, where it was opened in a notebook
    "'self' http://localhost:* http://127.0.0.1:* https://localhost:* https://127.0.0.1:* "
    "vscode-webview: vscode-file: https://*.vscode-cdn.net"
)
COLAB_PAGES = "https://colab.research.google.com https://*.googleusercontent.com https://*.colab.dev"
POLICY = (  # 'unsafe-eval': gradio makes its components with `new Function`
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; worker-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "frame-src 'none'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors "
)
CALL = "/gradio_api/component_server"  # how the page asks
STARTED = "/gradio_api/startup-events"  # asked by gradio itself, before the first page
FILES = ("/static/", "/assets/")
SINGLE = ("/", "/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt", STARTED)
GRADIO_PARAMETERS = ("page", "deep_link")  # on the page's address: `page` of an older link was answered with HTTP 500
MAX_BODY = 96 << 20  # bytes of a request: files of 64 MB in base64, and their names
PARAMETER = "token"  # of the address
WHO_ARE_YOU = (
    "This viewer can be reached from other machines and asks for its token: open the address that it printed when it "
    "was started."
)


@dataclass(frozen=True)
class House:
    """Who is let in.

    names: hosts that are answered to, with *; None: any. origins: hosts of pages of our own behind a proxy, with *.
    token: what the address must bring once; "": nothing. frames: who may frame the page, in the policy's words.
    """

    names: tuple[str, ...] | None = LOCAL_HOSTS
    origins: tuple[str, ...] = ()
    token: str = ""
    frames: str = "'none'"

    @property
    def cookie(self) -> str:
        """Return the name of the cookie: one a token, for all ports of a machine share their cookies."""
        return f"s1-{hashlib.sha256(self.token.encode()).hexdigest()[:8]}"

    @classmethod
    def of(cls, host: str, *, share: bool, framed: bool, token: str, environ: Mapping[str, str] = os.environ) -> House:
        """Return who is let in by a viewer that listens at `host`; framed: it is shown in a notebook."""
        in_colab = "COLAB_RELEASE_TAG" in environ or "COLAB_GPU" in environ
        outside = COLAB_HOSTS if in_colab else ()  # Colab's pages have names of their own
        proxy = urlsplit(environ.get("GRADIO_ROOT_PATH", ""))
        origins = (*outside, *filter(None, [proxy.netloc]))
        names = (*LOCAL_HOSTS, host.strip("[]"), *outside, *filter(None, [proxy.hostname]))
        frames = f"{NOTEBOOKS} {COLAB_PAGES if in_colab else ''}".strip() if framed else "'none'"
        return cls(None if host in ANY_HOST or share else names, origins, token, frames)


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach what listens at `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Door:
    """Refuses what must not be asked; adds to every answer what a browser may do with it."""

    def __init__(self, app: ASGIApp, house: House) -> None:
        """Wrap an ASGI app."""
        self._app, self._house = app, house
        self._added = (
            (b"content-security-policy", (POLICY + house.frames).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a refusal, with the page behind a token, or pass on."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":  # no screen speaks through a web socket
            return await send({"type": "websocket.close", "code": 1008})
        headers, path = Headers(scope=scope), path_of(scope)
        refused = refusal(self._house, scope["method"], path, headers) or self._unknown(path, scope, headers)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *self._added]
            await send(message)

        if refused is not None:
            return await PlainTextResponse(refused[1], refused[0])(scope, receive, with_headers)
        if path != "/":
            return await self._app(scope, limited(receive), with_headers)
        given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        kept = urlencode([(name, value) for name, value in given if name not in (*GRADIO_PARAMETERS, PARAMETER)])
        if self._house.token and any(name == PARAMETER for name, _ in given):
            answer = RedirectResponse(f"?{kept}", 303)
            answer.set_cookie(self._house.cookie, self._house.token, httponly=True, samesite="lax")
            return await answer(scope, receive, with_headers)
        await self._app({**scope, "query_string": kept.encode()}, receive, with_headers)

    def _unknown(self, path: str, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Refuse whoever brings no token where one is needed, in the address of the page or in its cookie."""
        if not self._house.token or path == STARTED:
            return None
        given = [value for name, value in parse_qsl(scope["query_string"].decode("latin-1")) if name == PARAMETER]
        if path != "/" or not given:
            held = cookie_parser("; ".join(headers.getlist("cookie")))  # one of another site's may look like nothing
            given = [held.get(self._house.cookie, "")]
        known = any(hmac.compare_digest(one.encode(), self._house.token.encode()) for one in given)
        return None if known else (401, WHO_ARE_YOU)


def path_of(scope: Scope) -> str:
    """Return the path below the one at which a proxy shows the viewer."""
    root = scope.get("root_path", "")
    return "/" + str(scope["path"]).removeprefix(root if root.startswith("/") else "").lstrip("/")


def refusal(house: House, method: str, path: str, headers: Headers) -> tuple[int, str] | None:
    """Return status and reason for what must not be asked, None for what may."""
    host = headers.get("host", "")
    if house.names is not None and not matches(name_of(host), house.names):
        return 400, (
            f"The viewer does not answer to the name {host[:100]!r}: open it at http://127.0.0.1, start it with "
            "--host, or behind a proxy with GRADIO_ROOT_PATH=https://NAME/PATH"
        )
    called = path.rstrip("/") == CALL
    looked = path in SINGLE or path.startswith(FILES)
    if not called and not looked:
        return 404, "There is nothing here."
    if method not in (("POST",) if called else ("GET", "HEAD")):
        return 405, "This cannot be done here."
    opened = path == "/" and headers.get("sec-fetch-mode", "navigate") == "navigate"  # a link, or a notebook's frame
    if not opened and not own(house, headers):
        return 403, "Only the viewer's own page may ask this; another web page did."
    if called and headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return 415, "Only JSON is read here."
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MAX_BODY:
        return 413, f"More than {MAX_BODY >> 20} MB at once: use  python -m socialr1_lite.viewer.importing FILE..."
    return None


def own(house: House, headers: Headers) -> bool:
    """Return whether a request comes from a page of the viewer itself, or from no page at all."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site in ("same-origin", "none")
    if origin is None:
        return True
    source = urlsplit(origin).netloc
    here = (headers.get("host"), headers.get("x-forwarded-host", "").partition(",")[0].strip())
    return bool(source) and (source in here or matches(source, house.origins))


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Return whether a name is one of these, in which * stands for any text."""
    return any(fnmatch(name.lower(), pattern.lower()) for pattern in patterns)


def name_of(host: str) -> str:
    """Return the name in a Host header, "" for what is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def limited(receive: Receive) -> Receive:
    """Return `receive` that ends a body that is longer than its length said or may be."""
    seen = 0

    async def limited_receive() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return message if seen <= MAX_BODY else {"type": "http.disconnect"}

    return limited_receive
