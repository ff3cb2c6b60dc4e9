"""What docs/statistics.md shows is true."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "statistics.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(1, len(SNIPPETS) + 1))
def test_every_snippet_runs(snippet: str) -> None:
    exec(compile(snippet, str(PAGE), "exec"), {})  # noqa: S102


def test_the_page_has_snippets() -> None:
    assert len(SNIPPETS) == 3
