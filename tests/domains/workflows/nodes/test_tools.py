"""What a step may use."""

import pytest

from spectral.domains.workflows.nodes.calls import NodeError
from spectral.domains.workflows.nodes.tools import ToolPolicy


@pytest.mark.parametrize(
    ("allowed", "tool", "admitted"),
    [
        ([], "search", False),
        (["search"], "search", True),
        (["search"], "search.web", False),
        (["search.*"], "search.web", True),
        (["search.*"], "search", False),
        (["search.*"], "searching", False),
        (["*"], "search.web", True),
        (["*"], "shell", False),
        (["*", "files.*"], "files.file_delete", False),
        (["files.*"], "files.read", True),
        (["files.file_delete"], "files.file_delete", True),
        (["shell"], "shell", True),
        (["git"], "shell", False),
    ],
)
def test_nothing_is_admitted_that_is_not_listed(allowed: list[str], tool: str, *, admitted: bool) -> None:
    assert ToolPolicy(allowed).admits(tool) is admitted


def test_what_is_denied_is_named() -> None:
    with pytest.raises(NodeError, match="git, shell") as failure:
        ToolPolicy(["search"]).require(["shell", "search", "git"])
    assert (failure.value.type, failure.value.retryable) == ("tool-denied", False)
    ToolPolicy([]).require([])
