"""Every fenced block of the user's guide runs, in the order in which a reader meets it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from spectral.platform.db.migrations import current_revision, head_revision, owner_engine
from spectral.settings import Settings
from tests.fixtures.databases import PostgresTemplate
from tests.fixtures.project import ROOT
from tests.fixtures.servers import ServerProcess

PAGES = sorted(
    [*(ROOT / "docs").glob("*.md"), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md"))]
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = {"bash", "python", "env", "sql", "yaml"}
"""YAML is a workflow: each is run by tests/domains/workflows/test_page.py."""
PRINTED = {"clusters.md", "running-workflows.md"}
"""Pages that also say what their shell blocks print: run by test_running_workflows.py, and by
tests/domains/changesets/test_clusters_page.py with a scan that was recorded."""


def blocks(page: Path, language: str) -> list[str]:
    """The page's blocks in this language, in order."""
    return [text for name, text in FENCE.findall(page.read_text()) if name == language]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_is_in_a_language_that_is_run_here(page: Path) -> None:
    assert {name for name, _ in FENCE.findall(page.read_text())} <= RUN


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page: Path, tmp_path: Path) -> None:
    source = "\n".join(blocks(page, "python"))
    if source:
        done = subprocess.run([sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_shell_blocks_run(page: Path, start_server: Callable[..., ServerProcess], tmp_path: Path) -> None:
    source = "\n".join(blocks(page, "bash"))
    if not source or page.name in PRINTED:
        return
    assert shutil.which("curl"), "the guide's snippets need curl"
    server = start_server(executes=False) if "curl" in source else None
    folder = tmp_path / "reader"
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPECTRAL_")} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "SPECTRAL_DATA_DIR": str(folder / "data"),
    }
    if server is not None:
        environment["SPECTRAL"] = server.url
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", source],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@pytest.mark.databases("postgresql")
def test_the_page_on_self_hosting_sets_up_a_postgresql(
    postgres_template: PostgresTemplate, database_kind: str, tmp_path: Path
) -> None:
    """Its command makes the roles and the database; with its variables they are those of a production."""
    page = ROOT / "docs" / "self-hosting.md"
    (command,) = re.findall(r"^    spectral (database roles .+)$", page.read_text(), re.MULTILINE)
    (variables,) = blocks(page, "env")
    own = f"{postgres_template.prefix}_guide"
    kinds = ("owner", "application", "authentication", "ingestion")
    names = {kind: f"{own}_{kind}" for kind in kinds}
    admin = "postgresql://postgres@127.0.0.1:5432/postgres"
    assert admin in command
    arguments = command.replace(admin, postgres_template.admin_url).split()
    arguments += [part for kind, name in names.items() for part in (f"--{kind}", name)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPECTRAL_")}
    environment |= dict(line.split("=", 1) for line in variables.splitlines())
    environment |= {"SPECTRAL_DATA_DIR": str(tmp_path)}
    environment |= {f"SPECTRAL_{kind.upper()}_ROLE": names[kind] for kind in kinds[1:]}
    spectral = str(Path(sys.executable).with_name("spectral"))
    try:
        subprocess.run(
            [spectral, *arguments, "--database", own], env=environment, cwd=tmp_path, check=True, capture_output=True
        )
        environment |= dict(line.split("=", 1) for line in (tmp_path / "roles.env").read_text().splitlines())
        subprocess.run([spectral, "migrate"], env=environment, cwd=tmp_path, check=True, capture_output=True)
        engine = owner_engine(environment["SPECTRAL_MIGRATION_DATABASE_URL"])
        with engine.connect() as connection:
            assert current_revision(connection) == head_revision()
        engine.dispose()
        with psycopg.connect(environment["SPECTRAL_DATABASE_URL"].replace("+asyncpg", "")) as application:
            assert application.execute("SELECT count(*) FROM agent").fetchone() == (0,)
    finally:
        postgres_template._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", own)
        for name in names.values():
            if postgres_template.admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone():
                postgres_template._execute("DROP OWNED BY {}", name)
                postgres_template._execute("DROP ROLE {}", name)


def test_the_example_environment_names_real_settings_and_their_defaults(tmp_path: Path) -> None:
    text = (ROOT / ".env.example").read_text()
    named = re.findall(r"^#? ?SPECTRAL_([A-Z0-9_]+)=(.*)$", text, re.MULTILINE)
    assert {name.lower() for name, _ in named} <= set(Settings.model_fields)
    path = tmp_path / "env"
    path.write_text(text)
    assert Settings(_env_file=path) == Settings(_env_file=None)


def test_production_of_the_guide_is_a_valid_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    (variables,) = blocks(ROOT / "docs" / "self-hosting.md", "env")
    for line in variables.splitlines():
        name, _, value = line.partition("=")
        monkeypatch.setenv(name, value)
    assert Settings(_env_file=None).environment == "production"
