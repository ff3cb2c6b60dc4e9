"""What the page knows of the API is what the API is: its document and its types are committed, and current."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.project import ROOT

WEB = ROOT / "web"
DOCUMENT = WEB / "openapi.json"
TYPES = WEB / "src" / "api" / "schema.d.ts"

pytestmark = pytest.mark.slow


def test_the_document_is_the_api_s(tmp_path: Path) -> None:
    made = tmp_path / "openapi.json"
    environment = {**os.environ, "SPECTRAL_DATA_DIR": str(tmp_path / "data")}
    command: list[str | Path] = [sys.executable, "-m", "spectral", "openapi", "--output", made]
    subprocess.run(command, env=environment, cwd=tmp_path, check=True)
    is_same = made.read_text() == DOCUMENT.read_text()
    assert is_same, "the API has changed: .venv/bin/spectral openapi --output web/openapi.json, then the types"


def test_the_types_are_the_document_s(tmp_path: Path) -> None:
    made = tmp_path / "schema.d.ts"
    tool, *arguments = shlex.split(json.loads((WEB / "package.json").read_bytes())["scripts"]["schema"])
    assert tool == "openapi-typescript"
    arguments[arguments.index("--output") + 1] = str(made)
    command: list[str | Path] = [
        sys.executable,
        ROOT / "hatch_build.py",
        "node",
        "node_modules/openapi-typescript/bin/cli.js",
        *arguments,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    is_same = made.read_text() == TYPES.read_text()
    assert is_same, "the document has changed: .venv/bin/python hatch_build.py run schema"
