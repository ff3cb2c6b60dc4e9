"""What the demo prints at the end: what changed, how sure that is, what it cost."""

from typing import Any
from urllib.parse import urlencode

from rich.console import Console
from rich.table import Table

LOCAL_RUNTIME = "built-in local runtime, not a language model; gains here do not predict gains on yours"
MEANING = {
    "validated": "[green]validated[/green]: the holdout confirms the gain",
    "refuted": "[red]refuted[/red]: the holdout contradicts the gain",
    "inconclusive": "[yellow]inconclusive[/yellow]: the holdout neither confirms nor contradicts the gain",
    "no_improvement": "[yellow]no improvement found[/yellow]: no candidate was worth a look at the holdout",
}


def print_result(result: dict[str, Any], console: Console) -> None:
    """What happened, in one screen."""
    console.rule("what the scan found")
    console.print(f"verdict     {MEANING[result['verdict']]}")
    changeset = result["changeset"]
    if changeset is not None:
        _print_evidence(changeset, console)
    _print_aftermath(result, console)
    cost = result["cost"]
    total = "unknown" if cost["total_cost_usd"] is None else f"${cost['total_cost_usd']}"
    console.print(f"cost        {total}, {cost['evaluations']:,} evaluations of {cost['max_evaluations']:,} allowed")
    for line in cost["by_model"]:
        price = "unknown" if line["cost_usd"] is None else f"${line['cost_usd']}"
        console.print(f"            {line['purpose']} on {line['model']}: {line['calls']:,} calls, {price}")
    console.print(f"candidates  {result['candidates']}")
    console.print(f"time        {result['seconds']} s, seed {result['seed']}, synthetic data")
    console.print(f"runtime     {LOCAL_RUNTIME}")


def _print_evidence(changeset: dict[str, Any], console: Console) -> None:
    validation = changeset["validation"]
    if validation is not None and validation["champion"] is not None:
        before, after = validation["champion"]["passed"], validation["challenger"]["passed"]
        console.print(f"accuracy    {_rate(before)} before")
        console.print(f"            {_rate(after)} after, on {validation['n']} held-out tickets")
        console.print(f"gain        {_points(validation['effect_95'])} (95 % interval)")
        if validation["effect"]["confidence"] != validation["effect_95"]["confidence"]:
            confidence = 100 * validation["effect"]["confidence"]
            console.print(
                f"            {_points(validation['effect'])} at the {confidence:.2f} % this look is decided by"
            )
        if validation["n_more"]:
            console.print(f"            {validation['n_more']} more samples are needed to decide")
    clusters = changeset["evidence"]["clusters"]
    if clusters:
        table = Table("cluster of failures", "size", "fixed", "broke", box=None, pad_edge=False, header_style="dim")
        for cluster in clusters[:8]:
            table.add_row(cluster["label"][:60], str(cluster["size"]), str(cluster["fixed"]), str(cluster["broke"]))
        console.print(table)
        if len(clusters) > 8:
            console.print(f"[dim]and {len(clusters) - 8} more[/dim]")
    console.print(f"change      version {changeset['base_version']} → {changeset['candidate_version']}:")
    for line in _changes(changeset["evidence"]["candidate"]["diff"]):
        console.print(f"            {line}")


def _print_aftermath(result: dict[str, Any], console: Console) -> None:
    few, taken_back = result.get("too_few"), result.get("taken_back")
    if few is not None:
        said = "" if few["effect_95"] is None else f", {_points(few['effect_95'])}"
        more = "" if few["n_more"] is None else f"; {few['n_more']} more samples needed"
        console.print(f"too few     on {few['items']} held-out tickets the same change is {few['verdict']}{said}{more}")
    if taken_back is not None and taken_back["state"] is not None:
        console.print(f"taken back  on a second agent, live: {taken_back['state'].replace('_', ' ')}")
        console.print(f"            {taken_back['reason']}", soft_wrap=True)


def _changes(diff: list[dict[str, Any]]) -> list[str]:
    """One line a place; the elements of a list are counted."""
    elements: dict[tuple[str, str], int] = {}
    lines = []
    for change in diff:
        parent, _, last = change["pointer"].rpartition("/")
        if last.isdigit() and parent:
            key = (change["operation"], parent)
            elements[key] = elements.get(key, 0) + 1
        else:
            lines.append(f"{change['operation']} {change['pointer']}")
    return lines + [f"{operation} {count} × {parent}/…" for (operation, parent), count in elements.items()]


def print_address(url: str, result: dict[str, Any], email: str, password: str, console: Console) -> None:
    """Where to go on: the page, opened on the demo's workspace, and what is worth a look in it."""
    workspace = f"/w/{result['workspace_id']}"
    # The password is typed in: an address ends up in histories and logs.
    opening = urlencode({"email": email, "next": workspace}, safe="/@")
    console.rule("go on")
    console.print(f"page        {url}/sign-in?{opening}", soft_wrap=True)
    console.print(f"sign in     {email}   password {password}")
    if result["changeset_id"]:
        console.print(f"change set  {url}{workspace}/changesets/{result['changeset_id']}", soft_wrap=True)
    console.print(f"scan        {url}{workspace}/scans/{result['scan_id']}", soft_wrap=True)
    console.print(f"traces      {url}{workspace}/traces", soft_wrap=True)
    console.print(f"API         {url}/docs")
    console.print("stop        Ctrl-C; `make run` starts again with this workspace")


def _rate(rate: dict[str, Any]) -> str:
    return f"{100 * rate['rate']:.1f} % [{100 * rate['low']:.1f}, {100 * rate['high']:.1f}]"


def _points(effect: dict[str, Any]) -> str:
    low, high = (f"{100 * bound:+.1f}" if bound is not None else "none" for bound in (effect["low"], effect["high"]))
    return f"{100 * effect['mean']:+.1f} points [{low}, {high}]"
