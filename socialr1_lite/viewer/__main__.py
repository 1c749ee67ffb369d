"""Open the trace viewer.

    python -m socialr1_lite.viewer [RUN_OR_FOLDER ...] [--host 127.0.0.1] [--port 7860] [--model NAME ...]

In a checkout `python app.py` is the same.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from socialr1_lite.errors import RunLogError, command
from socialr1_lite.recipe.trust import Trust


def main() -> None:
    """Read the arguments, build the app, serve it until Ctrl-C."""
    parser = argparse.ArgumentParser(
        "python -m socialr1_lite.viewer", description="Look at what a model wrote, stage by stage."
    )
    parser.add_argument(
        "places",
        nargs="*",
        type=Path,
        metavar="RUN_OR_FOLDER",
        help="run folders, or folders of runs (default: runs/, or a bundled example)",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address to listen on (default: this machine only; else a token is asked for)",
    )
    parser.add_argument("--port", type=int, default=None, help="the port (default: the first free one from 7860)")
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME",
        help="a local model folder or id to offer on the page Try it",
    )
    Trust.add_options(parser)
    args = parser.parse_args()

    if args.port is not None and not 0 < args.port < 65536:
        raise RunLogError(f"--port {args.port}: a port is a number from 1 to 65535")
    from socialr1_lite.viewer import launch  # gradio takes seconds to import: mistakes are reported before

    launch(args.places or None, host=args.host, port=args.port, models=args.model, trust=Trust.of(args))


if __name__ == "__main__":
    command(main)
