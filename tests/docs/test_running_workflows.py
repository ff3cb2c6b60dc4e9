"""The tour of `docs/running-workflows.md` in one shell on a real server: every block prints what the page says."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.fixtures.project import ROOT
from tests.fixtures.servers import ServerProcess

PAGE = ROOT / "docs" / "running-workflows.md"
BLOCK = re.compile(r"^```bash\n(?P<source>.*?)^```$(?P<printed>\n\n(?:    [^\n]*\n)+)?", re.MULTILINE | re.DOTALL)
MARK = "-- the next block --"
DRIVEN = re.compile(r"^## Drive it from outside\n.*?(?=^## )", re.MULTILINE | re.DOTALL)
SIGN_IN = re.compile(r"^## Sign in\n.*?(?=^## )", re.MULTILINE | re.DOTALL)


def pattern_of(printed: str) -> str:
    """What the page shows, as a regular expression: `…` is anything in a line, by itself any number of lines."""
    lines = [line.removeprefix("    ") for line in printed.strip("\n").splitlines()]
    return "".join(
        r"(?:.*\n)*" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n" for line in lines
    )


def test_every_block_prints_what_the_page_says(server: ServerProcess, tmp_path: Path) -> None:
    follow(DRIVEN.sub("", PAGE.read_text(encoding="utf-8")), server, tmp_path / "reader")


def test_a_server_that_executes_nothing_is_driven_as_the_page_says(
    start_server: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    page = PAGE.read_text(encoding="utf-8")
    parts = [SIGN_IN.search(page), DRIVEN.search(page)]
    text = "".join(part[0] for part in parts if part)
    follow(text, start_server(executes=False, ticked=True), tmp_path / "host")


def follow(page: str, server: ServerProcess, folder: Path) -> None:
    """Run the page's blocks in one shell; each prints what the page says."""
    assert shutil.which("curl"), "the page's blocks need curl"
    folder.mkdir()
    found = [(one["source"], one["printed"]) for one in BLOCK.finditer(page)]
    source = f"\necho; echo '{MARK}'\n".join(source for source, _ in found)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", source],
        cwd=folder,
        env={
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "SPECTRAL": server.url,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    told = f"{done.stdout}\n{done.stderr}\n{server.log}"
    assert done.returncode == 0, told
    answers = done.stdout.split(f"\n{MARK}\n")
    assert len(answers) == len(found), told
    assert sum(printed is not None for _, printed in found) > len(found) / 2
    wrong = [
        f"{block}prints:\n{answer}not:{printed}"
        for (block, printed), answer in zip(found, answers, strict=True)
        if not re.fullmatch(pattern_of(printed or ""), answer)
    ]
    assert wrong == [], "\n".join(wrong)
