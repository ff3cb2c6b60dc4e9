"""Spectral makes a team's AI agents measurably better."""

from importlib.metadata import version

__version__ = version("spectral")
