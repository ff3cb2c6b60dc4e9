"""Tools that a step may use: none that its definition does not list."""

import re
from collections.abc import Iterable

from spectral.domains.workflows.nodes.calls import NodeError

HIGH_RISK = frozenset({"shell", "git", "network", "database", "file_write", "file_delete"})
"""Only their own name admits these, and never a wildcard."""

NAME = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*")


class ToolPolicy:
    """What one step may use; everything else is denied.

    allowed: the step's `tools`: `name`, or `group.*` for `group.anything`, or `*`. Operations of high risk
    (`HIGH_RISK`, and whatever ends with `.` and one of them) are admitted by their full name only.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(allowed)

    def admits(self, tool: str) -> bool:
        """Whether the step lists the tool."""
        if tool in self._allowed:
            return True
        if tool.rpartition(".")[2] in HIGH_RISK:
            return False
        parts = tool.split(".")
        groups = (".".join([*parts[:depth], "*"]) for depth in range(len(parts)))
        return any(group in self._allowed for group in groups)

    def require(self, tools: Iterable[str]) -> None:
        """Raises NodeError of type `tool-denied` that names every tool which the step does not list."""
        denied = sorted(tool for tool in set(tools) if not self.admits(tool))
        if denied:
            message = f"The step may not use what its `tools` do not list: {', '.join(denied)}"
            raise NodeError("tool-denied", message, retryable=False)
