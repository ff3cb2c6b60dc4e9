"""Secrets are found in every form that servers give them back in, and nothing else is touched."""

import base64
import html
import json
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral.domains.workflows.nodes.mask import Mask

SECRET = 'p&ss "wörd"/\\<7>'

FORMS = {
    "itself": SECRET,
    "json": json.dumps(SECRET),
    "json_unicode": json.dumps(SECRET, ensure_ascii=False),
    "json_slashes": json.dumps(SECRET).replace("/", "\\/"),
    "html": html.escape(SECRET),
    "url": quote(SECRET),
    "url_everything": quote(SECRET, safe=""),
    "url_lower": quote(SECRET, safe="").lower(),
    "url_some": quote(SECRET, safe='&"'),
    "form": quote_plus(SECRET),
    "hex": SECRET.encode().hex(),
}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_form_is_masked(form: str) -> None:
    masked = Mask([SECRET]).apply({"body": f"before {FORMS[form]} after", FORMS[form]: [1, None, True]})
    assert set(masked) == {"body", masked_name(form)}
    assert masked["body"].startswith("before ")
    assert masked["body"].endswith(" after")
    assert "***" in masked["body"]
    assert "rd" not in masked["body"]


def masked_name(form: str) -> str:
    return '"***"' if form.startswith("json") else "***"


@given(st.binary(max_size=7), st.text(st.characters(codec="utf-8"), min_size=6, max_size=40), st.binary(max_size=7))
def test_base64_of_something_that_holds_the_secret_gives_it_away_nowhere(
    before: bytes, secret: str, after: bytes
) -> None:
    whole = before + secret.encode() + after
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(whole).decode()
        masked = Mask([secret]).text(f"Basic {text}")
        assert "***" in masked
        # At the edges stay a few bits of a byte; never a whole one of the secret's inside.
        inner = base64.b64encode(b"xx" + secret.encode()[1:-1] + b"xx").decode()[4:-4]
        assert len(inner) < 8 or inner not in masked


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_what_holds_no_secret_stays_as_it_is(value: Any) -> None:
    assert Mask(["a secret that is nowhere"]).apply(value) == value
    assert Mask().apply(value) is value


def test_a_secret_that_is_part_of_another_hides_neither() -> None:
    mask = Mask(["token", "token-of-the-other"])
    assert mask.text("token-of-the-other, token") == "***, ***"


def test_what_is_too_short_to_be_a_secret_masks_nothing() -> None:
    assert Mask(["abc"]).text("abc abc%20") == "abc abc%20"
