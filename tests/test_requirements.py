"""The pinned requirements are complete, hashed, and name no registry."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.fixtures.project import ROOT, python_files

FILES = ("runtime.txt", "dev.txt")


def locked(name: str) -> dict[str, Version]:
    """The exact version of each package in a compiled file."""
    text = (ROOT / "requirements" / name).read_text()
    return {
        canonicalize_name(package): Version(version)
        for package, version in re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+)", text, re.MULTILINE)
    }


def declared() -> list[Requirement]:
    """The ranges that the package declares, and those of its build."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [Requirement(line) for line in project["dependencies"]] + _listed("build.in")


def _listed(name: str) -> list[Requirement]:
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    return [Requirement(line.partition("#")[0].strip()) for line in lines if line and not line.startswith(("#", "-"))]


@pytest.mark.parametrize("name", FILES)
def test_no_address_is_named(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text()
    assert not re.search(r"://|--(index|extra-index|find-links|trusted)", text)


@pytest.mark.parametrize("name", FILES)
def test_every_package_has_a_hash(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text()
    for entry in re.split(r"^(?=[\w.-]+(?:\[[\w,-]+\])?==)", text, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


@pytest.mark.parametrize("name", FILES)
def test_every_range_is_locked(name: str) -> None:
    wanted = declared() + (_listed("dev.in") if name == "dev.txt" else [])
    versions = locked(name)
    for requirement in wanted:
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not locked: make requirements"
        assert version in requirement.specifier, f"{requirement} is locked at {version}: make requirements"


def test_both_files_agree() -> None:
    development = locked("dev.txt")
    assert all(development[name] == version for name, version in locked("runtime.txt").items())


def test_every_dependency_has_its_line_in_the_record() -> None:
    record = (ROOT / "ADR" / "0008-dependencies.md").read_text().lower()
    unrecorded = [requirement.name for requirement in declared() + _listed("dev.in") if requirement.name not in record]
    assert not [name for name in unrecorded if not name.startswith("types-") and not name.endswith("-stubs")]


def test_everything_that_is_imported_is_declared() -> None:
    wanted = {canonicalize_name(requirement.name) for requirement in declared()}
    owners = packages_distributions()
    faults = set()
    for path in python_files("src", "migrations"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for name in {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"spectral"}:
                distributions = {canonicalize_name(owner) for owner in owners.get(name, [name])}
                if not distributions & wanted:
                    faults.add(f"{path.relative_to(ROOT)}: {name} of {sorted(distributions)}")
    assert not faults
