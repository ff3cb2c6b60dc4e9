"""What credentials of machines look like."""

import re
import textwrap
import tomllib

import pytest

from spectral.domains.keys.credentials import API_KEY, SERVICE_ACCOUNT, is_well_formed, new_credential
from spectral.platform.shared.tokens import checksum_base62
from tests.fixtures.project import ROOT

BODY = "7dKqWm3ZpTzR8vXc2LfYh5NbJs9QaE"
BODY += checksum_base62(API_KEY + BODY)
GOOD = API_KEY + BODY


def test_every_new_one_is_well_formed_and_another_one() -> None:
    made = [new_credential(prefix) for prefix in (API_KEY, SERVICE_ACCOUNT) for _ in range(200)]
    assert len(set(made)) == len(made)
    assert all(map(is_well_formed, made))
    assert {len(credential) for credential in made} == {44}


def test_every_wrong_character_is_noticed() -> None:
    for place in range(len(API_KEY), len(GOOD)):
        other = "a" if GOOD[place] != "a" else "b"
        assert not is_well_formed(GOOD[:place] + other + GOOD[place + 1 :])


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        API_KEY,
        BODY,
        GOOD[:-1],
        GOOD + "0",
        GOOD + "\n",
        " " + GOOD,
        SERVICE_ACCOUNT + BODY,
        "sk_test_" + BODY,
        "SK_LIVE_" + BODY,
        API_KEY + "é" * 36,
        API_KEY + "١" * 36,  # digits, but not ours
        API_KEY + "-" * 30 + checksum_base62(API_KEY + "-" * 30),
        API_KEY + "0" * 29 + "\x00" + checksum_base62(API_KEY + "0" * 29 + "\x00"),
    ],
)
def test_what_is_no_credential(wrong: str) -> None:
    assert not is_well_formed(wrong)


def test_the_published_patterns_find_what_is_made() -> None:
    page = (ROOT / "docs" / "secret-scanning.md").read_text()
    blocks = re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", page, re.MULTILINE)
    pattern, rule = (textwrap.dedent(block) for block in blocks if "_live_" in block)
    gitleaks = tomllib.loads(rule)["rules"][0]
    for prefix in (API_KEY, SERVICE_ACCOUNT):
        made = new_credential(prefix)
        for before, after in (("", ""), ('"', '"'), ("key=", "\n"), ("Bearer ", ",")):
            text = f"{before}{made}{after}"
            for expression in (pattern.strip(), gitleaks["regex"]):
                found = re.search(expression, text)
                assert found is not None, expression
                assert found[0] == made
            assert any(word in text for word in gitleaks["keywords"])
        assert re.search(pattern.strip(), made + "0") is None
