"""Dimensions proposed from failures."""

import pytest

from spectral.domains.changesets.suggestions import dimension_for, read_failures
from spectral.domains.evaluations.scoring import Dimension

pytestmark = pytest.mark.databases("sqlite")

JUDGE = "openai/gpt-4o-mini"


@pytest.mark.parametrize(
    ("texts", "model", "scorer"),
    [
        (['{"a": 1} → I think a is 1 · form: not JSON'] * 3, None, "json_schema"),
        (["12 → about 13 · value: off", "7 → 9 · value: off"], None, "numeric_tolerance"),
        (["billing → it is billing, or login · right: no"] * 2, None, "contains"),
        (["billing → login · right: no"] * 2, None, "token_f1"),
        (["billing → login · right: no"] * 2, JUDGE, "judge"),
        (["no arrow here"], JUDGE, "judge"),
        ([], None, "token_f1"),
    ],
    ids=["json", "numbers", "more-around", "words", "judge", "unreadable", "nothing"],
)
def test_what_failures_have_in_common_decides(texts: list[str], model: str | None, scorer: str) -> None:
    found, options, reason = dimension_for(read_failures(texts), "billing {output} login", model)
    assert found == scorer
    assert reason
    assert Dimension.model_validate({"name": "a", "scorer": found, "options": options}).scorer == scorer
    if scorer == "judge":
        # The label is text of failures: it brings no places into the prompt.
        assert options["prompt"].count("{output}") == 1


def test_a_failure_is_read_as_it_is_shown() -> None:
    (one,) = read_failures(["a → b → c · right: expected a · got b"])
    assert (one.expected, one.got, one.detail) == ("a", "b → c · right: expected a", "got b")
