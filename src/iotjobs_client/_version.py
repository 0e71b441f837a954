"""The version, written down once: packages are often deployed without their metadata."""

__version__: str = "0.1.0"
