"""The trace viewer: run folders in the browser, a reply's reasoning stage by stage.

    python -m socialr1_lite.viewer [RUN_OR_FOLDER ...]    from a terminal
    show("runs/mine")                                     in a notebook; never a public link
    build_app(["runs"])                                   the gradio.Blocks, to launch it otherwise

Screens are JavaScript (static/), figures are Python: every module beside this one answers one family of questions as
plain JSON (stage, pages, curves, comparison, hacks, reports, exporting, importing, trying), library.py knows the runs,
door.py who may ask, serving.py checks what is asked, only shell.py knows gradio.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import gradio

__all__ = ["build_app", "launch", "show"]

Places = str | Path | Sequence[str | Path] | None


def build_app(places: Places = None) -> gradio.Blocks:
    """Build the app over run folders or folders of runs; None: runs/, and the bundled example while that holds none."""
    from socialr1_lite.viewer import shell

    return shell.build(_listed(places))


def launch(places: Places = None, *, host: str = "127.0.0.1", port: int | None = None, **more: Any) -> gradio.Blocks:
    """Build and serve on this machine only, unless `host` says otherwise; never a public link unless share=True."""
    from socialr1_lite.viewer.library import Library

    Library(_listed(places)).runs()  # gradio takes seconds to import: a wrong place is reported before
    from socialr1_lite.viewer import shell

    return shell.launch(_listed(places), host=host, port=port, **more)


def show(places: Places = None, *, height: int = 900, port: int | None = None) -> gradio.Blocks:
    """Show the viewer in a Jupyter or Colab cell; the kernel stays free."""
    return launch(places, port=port, prevent_thread_lock=True, inline=True, height=height)


def _listed(places: Places) -> list[Path] | None:
    if places is None:
        return None
    return [Path(places)] if isinstance(places, (str, Path)) else [Path(place) for place in places]
