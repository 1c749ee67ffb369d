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
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # gradio reads it when it is imported

import gradio as gr
from starlette.middleware import Middleware

from socialr1_lite.errors import RunLogError
from socialr1_lite.recipe.trust import NOBODY, Trust
from socialr1_lite.viewer import comparison, exporting, hacks, importing, labelling, pages, reports, runs, trying
from socialr1_lite.viewer.door import ANY_HOST, TOKEN, Door, House, is_loopback
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.serving import Json, Query, served

SCRIPTS = (
    *("core", "chart", "runs", "overview", "trace", "traces", "group", "prompt", "compare", "hacks", "benchmarks"),
    *("labels", "tryit", "exchange"),
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
