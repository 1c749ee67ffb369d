"""The only module that knows gradio: a shell around one component, closed to everything that the page does not need.

Facts about gradio 6.31 that decide the shape (each checked in a browser, see docs/viewer.md):
* `html_template` is run as a JavaScript template string *after* its values were put in, so no value ever enters it:
  the template is one empty element, and static/*.js builds the page from JSON with `createTextNode`.
* `share=None` means a public link in Colab: `share` is always given.
* it answers to any host and lets pages of other ports on this machine read what it says: door.py stands before it.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # gradio reads it when it is imported

import gradio as gr
from starlette.middleware import Middleware

from socialr1_lite.errors import RunLogError
from socialr1_lite.recipe.trust import NOBODY, Trust
from socialr1_lite.viewer import (
    comparison,
    exporting,
    figures,
    hacks,
    importing,
    labelling,
    pages,
    reports,
    runs,
    settings,
    solved,
    trying,
    verdicts,
)
from socialr1_lite.viewer.door import ANY_HOST, PARAMETER, Door, House, is_loopback
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.serving import Json, Query, served

SCRIPTS = (
    *("core", "markdown", "chart", "runs", "overview", "trace", "traces", "group", "prompt", "compare", "hacks"),
    *("benchmarks", "labels", "tryit", "exchange", "vendor/uPlot", "plot", "figures", "solved", "settings", "verdicts"),
)
STYLES = ("vendor/uPlot.css", "app.css", "why.css")
PAGES: dict[str, Callable[[Library, Query], Json]] = {
    page.__name__: page
    for page in (
        *(
            runs.runs,
            runs.take_off,
            runs.bring_back,
            runs.pulse,
            runs.overview,
            pages.traces,
            pages.facets,
            pages.trace,
            pages.group,
            pages.prompt,
        ),
        *(comparison.compare, hacks.hacks, reports.benchmarks, exporting.export, importing.import_files),
        *(labelling.labels, labelling.marks, labelling.label, labelling.prefer, labelling.export_labels),
        *(figures.figures, solved.solved, settings.settings, settings.table, verdicts.verdicts),
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
    """Build and serve. `share` is a public link through a third party: only when somebody asks for it.

    Where other machines can reach `host`, the address that is printed has a token, and nobody is let in without.
    """
    app = build(places, models, trust)
    blocks = not more.pop("prevent_thread_lock", False)
    token = "" if is_loopback(host) or share else secrets.token_urlsafe(16)  # a public link is a secret of its own
    inline = more.pop("inline", None)
    framed = gr.utils.ipython_check() if inline is None else inline
    house = House.of(host, share=share, framed=framed, token=token)
    closed = {"docs_url": None, "redoc_url": None, "openapi_url": None}  # the web framework's pages, needed by nobody
    try:
        app.launch(
            server_name=host,
            server_port=port,
            share=share,
            inline=framed,
            head=f"<style>{''.join(map(asset, STYLES))}</style>",
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            max_file_size=importing.MAX_FILE,
            app_kwargs={"middleware": [Middleware(Door, house)], **closed},
            prevent_thread_lock=True,
            **{"quiet": True, **more},
        )
    except OSError as error:
        raise RunLogError(f"port {port} on {host} cannot be used ({error}); choose another with --port") from None
    open_to_its_page_alone(app)
    if blocks or framed:
        print("\n".join(addresses(app, host, token)), flush=True)
    if blocks:
        app.block_thread()
    return app


def open_to_its_page_alone(app: gr.Blocks) -> None:
    """Let only the viewer's own page read answers, under whatever name that page was opened.

    Gradio puts before the door what lets every page of this machine read. And it tells its page to ask the host that
    the server sees, which behind a proxy is another than the browser's, except in Colab: so everywhere as in Colab.
    """
    web = app.app
    web.user_middleware = [one for one in web.user_middleware if one.cls.__name__ != "CustomCORSMiddleware"]
    web.middleware_stack = web.build_middleware_stack()
    app.config["is_colab"] = True


def addresses(app: gr.Blocks, host: str, token: str) -> list[str]:
    """Return in sentences where the viewer can be opened, as far as that can be known from here."""
    query = f"?{PARAMETER}={token}" if token else ""
    shown = socket.gethostname() if host in ANY_HOST else f"[{host}]" if ":" in host else host
    told = [f"The viewer is at http://{shown}:{app.server_port}/{query} (Ctrl-C ends it)"]
    if token:
        told.append("It can be reached from other machines. Who has this address can read the runs and use Try it.")
    if app.root_path:
        whole = bool(urlsplit(app.root_path).netloc)
        at = f"{app.root_path.rstrip('/')}/{query}"
        told.append(f"Behind your proxy it is at {at if whole else f'the path {at} of the proxy'} (GRADIO_ROOT_PATH)")
    elif prefix := os.environ.get("JUPYTERHUB_SERVICE_PREFIX"):
        path = f"{prefix.rstrip('/')}/proxy/{app.server_port}"
        told.append(
            f"On JupyterHub, with jupyter-server-proxy: GRADIO_ROOT_PATH=https://YOUR.HUB{path}, then open that"
        )
    if colab := colab_address(app.server_port):
        told.append(f"In Colab it is at {colab}")
    elif "COLAB_RELEASE_TAG" in os.environ:
        told.append("In Colab open it from a cell: from socialr1_lite.viewer import show; show(FOLDER)")
    return told


def colab_address(port: int) -> str:
    """Return the address at which Colab shows a port of its machine to whoever runs the notebook; "" elsewhere."""
    if not gr.utils.colab_check():  # not in its kernel, where alone that can be asked
        return ""
    output = import_module("google.colab.output")
    return str(output.eval_js(f"google.colab.kernel.proxyPort({port})") or "")
