"""The page on security says what is so: its proofs exist, its list is whole, its numbers are those of its tables."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from litestar import Litestar

from spectral.domains.auth.passwords import OWN_WORDS
from spectral.platform.docs.document import openapi_document
from spectral.settings import Settings
from tests.fixtures.project import ROOT, SOURCE, python_files

PAGE = ROOT / "docs" / "security.md"
PAGES = [PAGE, ROOT / "docs" / "threat-model.md", ROOT / "SECURITY.md"]
REQUIREMENTS = Path(__file__).with_name("asvs_5_0_0_ids.txt")
LIST = ("## ASVS 5.0.0, levels 1 and 2", "## Gaps")
STATUSES = {"met", "operator", "gap"}
LEAST_MET = 95
TEST = re.compile(r"tests/[\w/]+\.py(?:::\w+)?")
ID = re.compile(r"\bV\d+\.\d+\.\d+\b")
LINK = re.compile(r"\]\(([^)#]*)#([^)]+)\)")

# What an attacker would like to find (a module, a member of one, a call), and in which folders it may be.
NOWHERE: tuple[str, ...] = ()
UNWANTED: dict[str, tuple[str, ...]] = {
    "eval": NOWHERE,
    "exec": NOWHERE,
    "pickle": NOWHERE,
    "marshal": NOWHERE,
    "shelve": NOWHERE,
    # Its parser gives events, which become no objects; documents are bounded and admit plain JSON only.
    # The command reads a file of whoever calls it, with the safe loader.
    "yaml": ("domains/workflows/definitions", "check_command.py"),
    "xml": NOWHERE,
    "lxml": NOWHERE,
    "os.system": NOWHERE,
    "os.popen": NOWHERE,
    "hashlib.md5": NOWHERE,
    "hashlib.sha1": NOWHERE,
    "ssl.CERT_NONE": NOWHERE,
    "ssl._create_unverified_context": NOWHERE,
    # Starts the demo's own server, with arguments of its own.
    "subprocess": ("demo",),
    # Samples, strategies and statistics, which must be repeatable; nothing secret.
    "random": ("demo", "domains/samples", "domains/scans", "domains/changesets", "platform/llm"),
}


@cache
def page() -> str:
    return PAGE.read_text()


def section(first: str, last: str) -> str:
    return page().partition(f"\n{first}\n")[2].partition(f"\n{last}\n")[0]


def rows() -> list[list[str]]:
    """Id, level, demand, status, how, proof of each requirement that applies."""
    found = re.findall(r"^\| (V\d.*) \|$", section(*LIST), re.MULTILINE)
    return [row.split(" | ") for row in found]


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_proof_that_is_named_exists(path: Path) -> None:
    named = set(TEST.findall(path.read_text()))
    assert len(named) > 5 or path.name == "SECURITY.md"
    for proof in sorted(named):
        file, _, function = proof.partition("::")
        assert (ROOT / file).is_file(), proof
        if function:
            assert re.search(rf"^(async )?def {function}\(", (ROOT / file).read_text(), re.MULTILINE), proof


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_section_that_is_linked_exists(path: Path) -> None:
    for target, anchor in LINK.findall(path.read_text()):
        if "://" not in target:
            assert anchor in anchors(path.parent / target if target else path), f"{target}#{anchor}"


def test_every_requirement_stands_there_once_with_its_level() -> None:
    levels = {
        f"{section}.{number}": level
        for line in REQUIREMENTS.read_text().splitlines()
        if line.startswith("V")
        for section, *entries in [line.split()]
        for number, level in [entry.split(":") for entry in entries]
    }
    assert Counter(levels.values()) == {"1": 70, "2": 183}
    assert Counter(ID.findall(section(*LIST))) == Counter(list(levels))
    assert {row[0]: row[1] for row in rows()}.items() <= levels.items()


def test_what_is_met_has_a_proof_and_what_is_not_is_explained() -> None:
    for identifier, _level, demand, status, how, proof in rows():
        assert status in STATUSES, identifier
        assert demand, identifier
        assert how, identifier
        assert TEST.search(proof) or LINK.search(proof), identifier
        if status == "operator":
            assert "self-hosting.md#hardening" in proof, identifier
    gaps = section("## Gaps", "## OWASP API Security Top 10 (2023)")
    assert "Each is of 2026-11-22." in gaps
    explained = re.findall(r"^\| (V[\d.]+) \| .+ \| .+ \|$", gaps, re.MULTILINE)
    assert explained == [row[0] for row in rows() if row[3] == "gap"]


def test_the_numbers_are_those_of_the_tables() -> None:
    (stated,) = re.findall(
        r"^\| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| ([\d.]+) % \|$", page(), re.MULTILINE
    )
    total, without, applicable, operator, met, gap = map(int, stated[:6])
    statuses = Counter(row[3] for row in rows())
    assert (operator, met, gap) == (statuses["operator"], statuses["met"], statuses["gap"])
    assert (total, applicable) == (len(ID.findall(section(*LIST))), len(rows()))
    assert without == total - applicable
    assert float(stated[6]) == int(1000 * met / (met + gap)) / 10
    assert met >= (met + gap) * LEAST_MET / 100
    with_operator, alone = (int(1000 * part / applicable) / 10 for part in (met + operator, met))
    said = f"meets {with_operator} % of all that apply; without any of that, {alone} % are met by Spectral itself."
    assert said in " ".join(page().split())
    assert met + operator >= applicable * LEAST_MET / 100


def test_every_risk_of_the_api_list_has_its_proof() -> None:
    risks = re.findall(r"^\| (API\d+) .+ \| (.+) \| (.+) \|$", page(), re.MULTILINE)
    assert [name for name, _, _ in risks] == [f"API{number}" for number in range(1, 11)]
    assert all(TEST.search(proof) for _, _, proof in risks)


def test_settings_and_words_that_are_named_are_real() -> None:
    for path in PAGES:
        named = re.findall(r"SPECTRAL_([A-Z0-9_]+)\b(?!_?\*)", path.read_text())
        assert {name.lower() for name in named} <= set(Settings.model_fields), path.name
    assert ", ".join(OWN_WORDS) in " ".join(page().split())
    defaults = Settings.model_fields
    for field, said in (
        ("rate_limit_per_credential", "6,000"),
        ("sign_in_failures_per_account", "Ten failures of one e-mail address"),
        ("session_lifetime_s", "ninety days after"),
        ("refresh_token_lifetime_s", "not refreshed for thirty days"),
        ("access_token_lifetime_s", "Access tokens live fifteen minutes"),
        ("signing_key_lifetime_days", "by itself every 90 days"),
    ):
        assert said in " ".join(page().split()), field
    expected = (6000, 10, 90 * 86400, 30 * 86400, 900, 90)
    fields = ("rate_limit_per_credential", "sign_in_failures_per_account", "session_lifetime_s",
              "refresh_token_lifetime_s", "access_token_lifetime_s", "signing_key_lifetime_days")  # fmt: skip
    assert tuple(defaults[field].default for field in fields) == expected


def test_every_purpose_of_a_key_is_in_the_inventory() -> None:
    inventory = section("## Cryptography", "## Connections")
    source = "\n".join(path.read_text() for path in python_files("src/spectral"))
    purposes = set(re.findall(r"^PURPOSE = \"([\w-]+)\"", source, re.MULTILINE))
    purposes |= set(re.findall(r"(?:SecretBox\(settings\.secrets|derive_key\(\w+), \"([\w-]+)\"", source))
    purposes |= set(re.findall(r"sealed\(\"([\w-]+)\"\)", source))
    assert purposes >= {"totp", "webhook", "mail", "oauth", "signing-key", "api-key-pepper", "fingerprint"}
    assert not {purpose for purpose in purposes if f"`{purpose}`" not in inventory}


def test_the_source_avoids_what_this_page_says_it_avoids() -> None:
    """No dynamic code, no unsafe parsers, no processes, no weak hashes, no unverified certificates."""
    faults: list[str] = []
    for path in python_files("src/spectral"):
        folder = path.relative_to(SOURCE).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            unwanted = [name for name in _uses(node) if not folder.startswith(UNWANTED.get(name, folder))]
            faults.extend(f"{folder}:{getattr(node, 'lineno', 0)} {name}" for name in unwanted)
            if isinstance(node, ast.keyword) and node.arg in {"verify", "validate_certs", "shell", "verify_signature"}:
                switched = isinstance(node.value, ast.Constant) and node.value.value is (node.arg == "shell")
                if switched:
                    faults.append(f"{folder}:{node.value.lineno} {node.arg}")
    assert not faults


def _uses(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        module = node.module.partition(".")[0]
        return [module, *(f"{module}.{alias.name}" for alias in node.names)]
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return [f"{node.value.id}.{node.attr}"]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return [node.func.id]
    return []


@pytest.mark.databases("sqlite")
def test_nothing_asks_for_a_hint(app: Litestar) -> None:
    document = openapi_document(app)
    asked = {
        name
        for item in document["paths"].values()
        for operation in item.values()
        if "Auth" in operation["tags"]
        for media in operation.get("requestBody", {}).get("content", {}).values()
        for name in document["components"]["schemas"][_schema_of(media["schema"])]["properties"]
    }
    assert {"password", "current_password", "code"} <= asked
    assert not [name for name in asked if re.search(r"hint|question|answer|birth|maiden", name)]


def _schema_of(schema: dict[str, object]) -> str:
    return str(re.findall(r"#/components/schemas/(\w+)", str(schema))[0])
