"""What this machine can do: python -m socialr1_lite.doctor."""

from socialr1_lite.doctor.examination import main
from socialr1_lite.errors import command

if __name__ == "__main__":
    command(main)
