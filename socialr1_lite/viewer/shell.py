"""The only module that knows gradio: a shell around one component, closed to everything that the page does not need.

Facts about gradio 6.31 that decide the shape (each checked in a browser, see docs/viewer.md):
* `html_template` is run as a JavaScript template string *after* its values were put in, so no value ever enters it:
  the template is one empty element, and static/*.js builds the page from JSON with `createTextNode`.
* `share=None` means a public link in Colab: `share` is always given.
* without a host check a foreign page can reach a local server through its own domain name (DNS rebinding).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # gradio reads it when it is imported

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from socialr1_lite.errors import RunLogError
from socialr1_lite.recipe.trust import NOBODY, Trust
from socialr1_lite.viewer import comparison, exporting, hacks, importing, labelling, pages, reports, runs, trying
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.serving import Json, Query, served

SCRIPTS = (
    *("core", "chart", "runs", "overview", "trace", "traces", "group", "prompt", "compare", "hacks", "benchmarks"),
    *("labels", "tryit", "exchange"),
)
LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]", "::1")
ANY_HOST = ("0.0.0.0", "::")
COLAB_HOSTS = (
    *("*.googleusercontent.com", "*.colab.dev"),
    *("*.colab-user-runtimes.internal", "*.codatalab-user-runtimes.internal"),
)
POLICY = (  # 'unsafe-eval': gradio makes its components with `new Function`
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; worker-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "frame-src 'none'; object-src 'none'; base-uri 'self'; form-action 'self'"
)

PAGES: dict[str, Callable[[Library, Query], Json]] = {
    page.__name__: page
    for page in (
        *(runs.runs, runs.pulse, runs.overview, pages.traces, pages.facets, pages.trace, pages.group, pages.prompt),
        *(comparison.compare, hacks.hacks, reports.benchmarks, exporting.export, importing.import_file),
        *(labelling.labels, labelling.marks, labelling.label, labelling.prefer, labelling.export_labels),
        trying.examples,
    )
}
PAGES |= {f"try_{page.__name__}": page for page in (trying.score, trying.start, trying.poll, trying.cancel)}


def asset(name: str) -> str:
    """Return the text of a file in static/."""
    return (files("socialr1_lite.viewer") / "static" / name).read_text("utf-8")


def script() -> str:
    """Return all of the page's JavaScript, as the body of one function."""
    return "\n".join(["'use strict';", *(asset(f"{name}.js") for name in SCRIPTS), "start();"])


def build(places: Sequence[Path] | None, models: Sequence[str] = (), trust: Trust = NOBODY) -> gr.Blocks:
    """Build the app over these places. Raises RunLogError for a place that is neither a run nor a folder."""
    library = Library(places, models, trust)
    library.runs()
    functions = [served(name, partial(page, library)) for name, page in PAGES.items()]
    with gr.Blocks(title="socialr1_lite", analytics_enabled=False) as app:
        look = {"html_template": '<div class="s1"></div>', "apply_default_css": False, "elem_id": "s1"}
        gr.HTML(value=None, js_on_load=script(), server_functions=functions, **look)
    app.library = library
    return app


def launch(
    places: Sequence[Path] | None,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    share: bool = False,
    models: Sequence[str] = (),
    trust: Trust = NOBODY,
    **more: Any,
) -> gr.Blocks:
    """Build and serve. `share` is a public link through a third party: only when somebody asks for it."""
    app = build(places, models, trust)
    blocks = not more.pop("prevent_thread_lock", False)
    closed = {"docs_url": None, "redoc_url": None, "openapi_url": None}  # the web framework's pages, needed by nobody
    try:
        app.launch(
            server_name=host,
            server_port=port,
            share=share,
            head=f"<style>{asset('app.css')}</style>",
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            max_file_size=importing.MAX_FILE,
            app_kwargs={"middleware": middleware(host, share), **closed},
            prevent_thread_lock=True,
            **{"quiet": True, **more},
        )
    except OSError as error:
        raise RunLogError(f"port {port} on {host} cannot be used ({error}); choose another with --port") from None
    if blocks:
        print(f"The viewer is at {app.local_url} (Ctrl-C ends it)", flush=True)
        app.block_thread()
    return app


def middleware(host: str, share: bool) -> list[Middleware]:
    """Return who may be spoken to under which name, and what a page may load."""
    guards = [Middleware(Headers), Middleware(OwnAddress)]
    if host not in ANY_HOST and not share:  # every name of a machine that listens to all cannot be known
        in_colab = "COLAB_RELEASE_TAG" in os.environ or "COLAB_GPU" in os.environ
        names = [*LOCAL_HOSTS, host, *(COLAB_HOSTS if in_colab else ())]  # Colab's pages have names of their own
        guards.insert(0, Middleware(TrustedHostMiddleware, allowed_hosts=names, www_redirect=False))
    return guards


class OwnAddress:
    """Takes Gradio's own parameters off the page's address: `page` of an older link was answered with HTTP 500."""

    GRADIO = ("page", "deep_link")

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an ASGI app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; the page's own script reads the address in the browser."""
        if scope["type"] == "http" and scope["path"].removeprefix(scope.get("root_path", "")) in ("", "/"):
            pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            kept = [(name, value) for name, value in pairs if name not in self.GRADIO]
            scope = {**scope, "query_string": urlencode(kept).encode()}
        await self._app(scope, receive, send)


class Headers:
    """Adds the content security policy and its companions to every answer."""

    ADDED = (
        (b"content-security-policy", POLICY.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
    )

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an ASGI app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass through, adding headers where an answer starts."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *self.ADDED]
            await send(message)

        await self._app(scope, receive, with_headers)
