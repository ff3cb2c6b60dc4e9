"""What is shipped: the image's build sees what it needs and nothing else, and nobody in it is root."""

import re

from tests.fixtures.project import ROOT

BUILD = {
    "pyproject.toml",
    "hatch_build.py",
    "README.md",
    "LICENSE",
    "requirements/runtime.txt",
    "web",
    "src",
    "migrations",
}


def test_the_build_sees_its_inputs_only() -> None:
    """No history, no tests, no local settings and no data can be copied into it by mistake."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == BUILD
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert {name for names in copied for name in names.split()} == BUILD


def test_it_runs_as_somebody_without_rights() -> None:
    shipped = (ROOT / "Dockerfile").read_text().rpartition("FROM ")[2]
    assert re.search(r"^USER spectral$", shipped, re.MULTILINE)
    assert shipped.index("USER spectral") < shipped.index("ENTRYPOINT")
    assert not re.search(r"(PASSWORD|SECRET|TOKEN|KEY)\w*=", shipped)


def test_requirements_come_with_hashes_into_it() -> None:
    installs = re.findall(r"pip install .*", (ROOT / "Dockerfile").read_text())
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)
    assert "--require-hashes" in installs[0]
