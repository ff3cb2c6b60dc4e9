"""The built browser application, in memory: what `hatch_build.py` left in the folder `page`."""

import base64
import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath

BUILT = Path(__file__).parent / "page"
INDEX = "/index.html"
COMPRESSED = ".gz"

# What the machine's own table may lack or call differently.
MEDIA_TYPES = {".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2"}


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file of the page. gzipped: the same, where it is text."""

    content: bytes
    gzipped: bytes | None
    media_type: str
    digest: str


@dataclass(frozen=True, slots=True)
class Page:
    """Files by the path that they are asked for with, and what the browser is told to let the page do."""

    files: dict[str, PageFile]
    security_policy: str

    @property
    def index(self) -> PageFile:
        """What every address of the application answers."""
        return self.files[INDEX]


@cache
def built_page() -> Page | None:
    """The page that this installation was built with; None when it was built without."""
    return read_page(BUILT)


def read_page(folder: Path) -> Page | None:
    """The page in this folder. All of it is read now: a page built later has other names for its files."""
    files = dict(_read_file(folder, path) for path in sorted(folder.rglob("[!.]*")) if path.is_file())
    return Page(files, security_policy(files[INDEX].content.decode())) if INDEX in files else None


def _read_file(folder: Path, path: Path) -> tuple[str, PageFile]:
    """What it is asked for with, and what it is; text lies there compressed."""
    gzipped = path.read_bytes() if path.suffix == COMPRESSED else None
    content = gzip.decompress(gzipped) if gzipped is not None else path.read_bytes()
    name = PurePosixPath("/", path.relative_to(folder).as_posix().removesuffix(COMPRESSED))
    media_type = MEDIA_TYPES.get(name.suffix) or mimetypes.guess_type(name.name)[0] or "application/octet-stream"
    return str(name), PageFile(content, gzipped, media_type, hashlib.sha256(content).hexdigest()[:32])


def security_policy(html: str) -> str:
    """What a browser lets a page do: load from here, talk to here, and run the scripts that stand in it as they are.

    Components make `<style>` elements as they go, with content that nobody knows beforehand; a `style` attribute in
    markup stays forbidden (ADR 0030).
    """
    scripts = _InlineScripts()
    scripts.feed(html)
    scripts.close()
    hashes = " ".join(f"'sha256-{_sha256(script)}'" for script in scripts.found)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {hashes}".rstrip(),
            "style-src 'self'",
            "style-src-elem 'self' 'unsafe-inline'",
            "style-src-attr 'none'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


class _InlineScripts(HTMLParser):
    """Collects the content of scripts that have no address."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "script" and "src" not in dict(attrs)
        if self._inside:
            self.found.append("")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found[-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._inside = False
