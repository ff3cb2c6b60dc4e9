"""What the demo prints at the end."""

from typing import Any

from rich.console import Console


def print_result(result: dict[str, Any], console: Console) -> None:
    """What happened, in one screen."""
    console.print(result["verdict"])


def print_address(url: str, result: dict[str, Any], email: str, password: str, console: Console) -> None:
    """Where to go on."""
    console.print(url, result["workspace_id"], email, password)
