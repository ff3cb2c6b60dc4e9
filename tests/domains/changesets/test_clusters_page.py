"""Every block of `docs/clusters.md` prints what the page says, on a real server with a recorded scan."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.test_running_workflows import BLOCK, MARK, pattern_of
from tests.domains.changesets.test_curation import Clinic, clinic
from tests.fixtures.project import ROOT
from tests.fixtures.servers import ServerProcess

__all__ = ["clinic"]


@pytest.mark.databases("sqlite")
def test_every_block_prints_what_the_page_says(
    clinic: Clinic, start_server: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    server = start_server(executes=False)
    folder = tmp_path / "reader"
    folder.mkdir()
    page = (ROOT / "docs" / "clusters.md").read_text(encoding="utf-8")
    found = [(one["source"], one["printed"]) for one in BLOCK.finditer(page)]
    assert len(found) == 6
    source = f"\necho; echo '{MARK}'\n".join(source for source, _ in found)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", source],
        cwd=folder,
        env={
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "TOKEN": clinic.tenant.access_token,
            "W": f"{server.url}{clinic.tenant.url}",
            "CHANGESET": str(clinic.changeset),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    told = f"{done.stdout}\n{done.stderr}\n{server.log}"
    assert done.returncode == 0, told
    answers = done.stdout.split(f"\n{MARK}\n")
    wrong = [
        f"prints:\n{answer}not:{printed}"
        for (_, printed), answer in zip(found, answers, strict=True)
        if not re.fullmatch(pattern_of(printed or ""), answer)
    ]
    assert wrong == [], "\n".join(wrong)
