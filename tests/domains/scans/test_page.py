"""The page on scans names problems that there are, with the words that they are answered with."""

import re

import pytest

from spectral.platform.shared.errors import SpectralError
from spectral.wiring.work import Work
from tests.fixtures.project import ROOT

pytestmark = pytest.mark.databases("sqlite")


def known(kind: type[SpectralError] = SpectralError) -> set[str]:
    """The slugs of every problem that there is."""
    return {kind.slug} | {slug for below in kind.__subclasses__() for slug in known(below)}


def test_every_problem_of_the_page_exists() -> None:
    # What wires them has imported every domain that a scan can meet.
    assert Work.__name__
    page = (ROOT / "docs" / "scans.md").read_text(encoding="utf-8")
    refused = page[page.index("## What is refused") :]
    named = set(re.findall(r"^\| `([a-z-]+)`", refused, re.MULTILINE)) | {
        *("holdout-spent", "samples-changed", "provider-down", "strategy-failed", "holdout-altered")
    }
    assert len(named) > 10
    assert named <= known(), named - known()
