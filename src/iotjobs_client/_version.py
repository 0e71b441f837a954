"""The version, written down once: packages are often deployed without their metadata."""

__version__ = "0.1.0.dev0"
