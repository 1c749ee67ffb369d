"""Open the trace viewer: python app.py [RUN_OR_FOLDER ...] [--host 127.0.0.1] [--port 7860] [--model NAME ...]."""

from socialr1_lite.errors import command
from socialr1_lite.viewer.__main__ import main

if __name__ == "__main__":
    command(main)
