"""What this machine can do, and the line to type for each missing thing."""

from socialr1_lite.doctor.findings import Finding, Gpu

__all__ = ["Finding", "Gpu"]
