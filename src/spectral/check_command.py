"""`spectral check`: is the configuration of a file worse than the one that is live? For pipelines."""

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, NoReturn, Self
from uuid import UUID

import click
import httpx
import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from spectral.client.config import find_agent
from spectral.client.errors import NotConfiguredError, SpectralClientError, UnavailableError
from spectral.client.wire import CONNECT_S, Endpoint, checked, json_of, unreachable
from spectral.domains.agents.config import ConfigDocument, canonical_hash
from spectral.domains.agents.json_values import pointer_of
from spectral.platform.shared.ids import new_id

ANSWER_S = 30.0
FIRST_POLL_S = 0.2
LONGEST_POLL_S = 5.0
PATIENCE_S = 60.0
"""How long a server that is away is asked again."""

UNFINISHED = frozenset({"queued", "running", "waiting"})
NAMED_PAGE = 100


class Exit(IntEnum):
    """What a pipeline reads."""

    NO_REGRESSION = 0
    REGRESSION = 1
    INCONCLUSIVE = 2
    WRONG_CALL = 3
    NO_ANSWER = 4


VERDICTS = {
    "no_regression": Exit.NO_REGRESSION,
    "regression": Exit.REGRESSION,
    "inconclusive": Exit.INCONCLUSIVE,
}


class CheckError(Exception):
    """The check could not be made; says why."""

    def __init__(self, message: str, code: Exit = Exit.WRONG_CALL) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be checked, as the command line says it; names or ids."""

    agent: str
    document: dict[str, Any]
    sample_set: str
    rubric: str | None
    objective: str | None
    split: str
    repeats: int
    environment: str
    margin: float | None
    max_cost_usd: str | None


class _WrongCallError(click.UsageError):
    exit_code = Exit.WRONG_CALL


class _UsageIsThree(click.Command):
    """A wrong call ends with 3, since 2 means that the check was inconclusive."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(*args, **extra)
        except click.UsageError as error:
            raise _WrongCallError(error.message, error.ctx) from error


@click.command(cls=_UsageIsThree)
@click.option("--agent", required=True, help="The agent, by its name or id.")
@click.option(
    "--config",
    "config_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The configuration to check: JSON, or YAML where the name ends in .yaml or .yml.",
)
@click.option("--set", "sample_set", required=True, help="The sample set, by its name or id.")
@click.option("--rubric", help="The rubric, by its name or id; left out: the objective's, or the only one.")
@click.option("--objective", help="The objective, by its name or id; left out: the rubric's total alone.")
@click.option("--split", type=click.Choice(["select", "reflect"]), default="select", show_default=True)
@click.option("--repeats", type=click.IntRange(1, 10), default=1, show_default=True, help="Executions of each item.")
@click.option("--environment", default="production", show_default=True, help="Whose live configuration is compared.")
@click.option("--margin", type=click.FloatRange(0, 1, max_open=True), help="A loss up to this is no regression.")
@click.option("--max-cost-usd", help="The most that the check may cost.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(1), default=3600.0, show_default=True, help="In seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table.")
@click.option("--url", envvar="SPECTRAL_URL", help="The server's address (SPECTRAL_URL).")
@click.option(
    "--key", envvar="SPECTRAL_KEY", help="A service account's key, st_live_… (SPECTRAL_KEY); better in the environment."
)
@click.option("--workspace", envvar="SPECTRAL_WORKSPACE_ID", help="Left out: the workspace of the key.")
def check(
    *,
    agent: str,
    config_file: Path,
    sample_set: str,
    rubric: str | None,
    objective: str | None,
    split: str,
    repeats: int,
    environment: str,
    margin: float | None,
    max_cost_usd: str | None,
    timeout_s: float,
    as_json: bool,
    url: str | None,
    key: str | None,
    workspace: str | None,
) -> None:
    """Compare the configuration of a file with the live one on a sample set, and say whether it is worse.

    Exits 0 when there is no regression, 1 when there is one, 2 when the samples are too few to tell (and says how many
    more would be needed), 3 when the call or the request is wrong, 4 when the server gives no answer.
    """
    try:
        wanted = Wanted(
            agent, read_config(config_file), sample_set, rubric, objective, split, repeats, environment, margin,
            max_cost_usd,
        )  # fmt: skip
        with Platform(url, key, workspace, min(PATIENCE_S, timeout_s)) as platform:
            outcome = Check(platform, timeout_s).run(wanted)
    except CheckError as error:
        _fail(str(error), error.code)
    except UnavailableError as error:
        _fail(str(error), Exit.NO_ANSWER)
    except (SpectralClientError, KeyboardInterrupt) as error:
        _fail(str(error) or "interrupted", Exit.WRONG_CALL)
    if as_json:
        click.echo(json.dumps(outcome, indent=2, sort_keys=True))
    else:
        # A pipeline's log has no width of its own.
        show(outcome, Console(width=None if sys.stdout.isatty() else 120))
    sys.exit(VERDICTS[outcome["verdict"]])


def read_config(path: Path) -> dict[str, Any]:
    """The configuration of a file, as the server would store it. Raises CheckError that names what is wrong in it."""
    try:
        text = path.read_text(encoding="utf-8")
        raw = yaml.safe_load(text) if path.suffix in {".yaml", ".yml"} else json.loads(text)
        return ConfigDocument.model_validate(raw).as_json()
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        wrong = "; ".join(f"{pointer_of(one['loc']) or '/'} {one['msg']}" for one in found[:5])
        raise CheckError(f"{path} is no configuration: {wrong}") from error
    except yaml.YAMLError as error:
        raise CheckError(f"{path} is not valid YAML: {error}") from error
    except (OSError, ValueError) as error:
        raise CheckError(f"{path} cannot be read: {error}") from error


class Platform:
    """One workspace, under one key."""

    def __init__(self, url: str | None, key: str | None, workspace_id: str | None, patience_s: float) -> None:
        """patience_s: how long a server that is away is asked again. Raises CheckError."""
        if not url:
            raise CheckError("say where the server is: --url or SPECTRAL_URL")
        if not key:
            raise CheckError("say who asks: SPECTRAL_KEY, a service account's key of the workspace")
        try:
            endpoint = Endpoint(url, key, workspace_id)
        except NotConfiguredError as error:
            raise CheckError(str(error)) from error
        self._endpoint = endpoint
        self._http = httpx.Client(
            base_url=endpoint.url, headers=endpoint.headers, timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S)
        )
        self._workspace_id = workspace_id
        self._patience_s = patience_s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    @property
    def url(self) -> str:
        """The server's address."""
        return self._endpoint.url

    def get(self, path: str, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None) -> Any:
        """An answer of the workspace; asked again for a minute where the server is away."""
        return self._patiently("GET", self._path(path), params=dict(query or {}), headers=dict(headers or {}))

    def post(self, path: str, body: Any, key: str) -> Any:
        """Starts something, once, however often the connection breaks."""
        headers = {"Idempotency-Key": key}
        return self._patiently("POST", self._path(path), json=body, headers=headers)

    def cancel(self, path: str) -> None:
        """Ends something that nobody waits for any more."""
        self._ask("POST", self._path(path))

    @property
    def workspace_id(self) -> str:
        """The workspace of the key."""
        if self._workspace_id is None:
            self._workspace_id = str(self._patiently("GET", "/api/v1/runner").json()["workspace_id"])
        return self._workspace_id

    def _path(self, path: str) -> str:
        return f"/api/v1/workspaces/{self.workspace_id}{path}"

    def _patiently(self, method: str, path: str, **options: Any) -> httpx.Response:
        until = time.monotonic() + self._patience_s
        pause = FIRST_POLL_S
        while True:
            try:
                return self._ask(method, path, **options)
            except UnavailableError as error:
                pause = min(2 * pause, LONGEST_POLL_S)
                wait = pause if error.retry_after_s is None else error.retry_after_s
                if time.monotonic() + wait > until:
                    raise
                time.sleep(wait)

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return checked(self._http.request(method, path, **options))
        except httpx.TransportError as error:
            raise unreachable(error, self.url) from error


class Check:
    """Asks for the experiment and waits for it."""

    def __init__(self, platform: Platform, timeout_s: float) -> None:
        self._platform = platform
        self._timeout_s = timeout_s

    def run(self, wanted: Wanted) -> dict[str, Any]:
        """What came of it, as JSON; its `verdict` is no_regression, regression or inconclusive.

        Raises CheckError, UnavailableError, RefusedError.
        """
        agent_id = find_agent(self._platform.get, wanted.agent)
        live = json_of(self._platform.get(f"/agents/{agent_id}/config", {"environment": wanted.environment}))
        ours = canonical_hash(ConfigDocument.model_validate(wanted.document))
        outcome = {"agent_id": agent_id, "live_version": live["version"], "config_hash": ours}
        if live["config_hash"] == ours:
            return outcome | {"verdict": "no_regression", "reasons": ["identical_configurations"], "experiment": None}
        asked = {
            "agent_id": agent_id,
            "name": f"check against version {live['version']}",
            "arms": [
                {"label": f"live (version {live['version']})", "version": live["version"]},
                {"label": "checked", "config": wanted.document},
            ],
            "sample_set_id": self._named("/samples", wanted.sample_set, "Sample set"),
            "split": wanted.split,
            "repeats": wanted.repeats,
            "budget": {} if wanted.max_cost_usd is None else {"max_cost_usd": wanted.max_cost_usd},
        } | self._measure(wanted)
        if wanted.margin is not None:
            asked["margin"] = wanted.margin
        experiment = self._measured(asked)
        (result,) = json_of(self._platform.get(f"/changesets/experiments/{experiment['id']}/results"))["results"]
        return outcome | {
            "verdict": result["verdict"],
            "reasons": result["reasons"],
            "n_more": result["n_more"],
            "experiment": experiment,
            "result": result,
        }

    def _measure(self, wanted: Wanted) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if wanted.objective is not None:
            found["objective_id"] = self._named("/evaluations/objectives", wanted.objective, "Objective")
        if wanted.rubric is not None:
            found["rubric_id"] = self._named("/evaluations/rubrics", wanted.rubric, "Rubric")
        if not found:
            only = json_of(self._platform.get("/evaluations/rubrics", {"limit": "2"}))["results"]
            if len(only) != 1:
                raise CheckError("say what is measured: --rubric or --objective")
            found["rubric_id"] = only[0]["id"]
        return found

    def _named(self, path: str, name: str, kind: str) -> str:
        """The id of what has this name, or is this id."""
        try:
            return str(UUID(name))
        except ValueError:
            pass
        offset = 0
        while True:
            page = json_of(self._platform.get(path, {"limit": str(NAMED_PAGE), "offset": str(offset)}))
            found = next((one["id"] for one in page["results"] if one["name"] == name), None)
            if found is not None:
                return str(found)
            offset += NAMED_PAGE
            if offset >= page["pagination"]["total"]:
                raise CheckError(f"{kind} {name!r} not found")

    def _measured(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        experiment: dict[str, Any] = json_of(self._platform.post("/changesets/experiments", asked, str(new_id())))
        path = f"/changesets/experiments/{experiment['id']}"
        until = time.monotonic() + self._timeout_s
        pause = FIRST_POLL_S
        try:
            while experiment["status"] in UNFINISHED:
                if time.monotonic() > until:
                    self._platform.cancel(f"{path}/cancel")
                    raise CheckError(f"The check took longer than {self._timeout_s:g} s; cancelled", Exit.NO_ANSWER)
                time.sleep(pause)
                pause = min(1.5 * pause, LONGEST_POLL_S)
                experiment = json_of(self._platform.get(path))
        except KeyboardInterrupt:
            self._platform.cancel(f"{path}/cancel")
            raise
        if experiment["status"] != "completed":
            failure = experiment["failure"] or {"type": experiment["status"], "detail": "it was cancelled"}
            raise CheckError(f"The experiment {experiment['status']}: {failure['detail']} ({failure['type']})")
        return experiment


def show(outcome: Mapping[str, Any], console: Console) -> None:
    """The outcome as a table with its intervals, and in a sentence."""
    experiment = outcome["experiment"]
    if experiment is None:
        console.print(f"The file is version {outcome['live_version']}, which is live: nothing to compare.")
        return
    result = outcome["result"]
    table = Table(title=f"{experiment['items']} items of {experiment['split']}, {experiment['execution']} execution")
    for heading in ("", "objective", "95 % interval", "passed", "mean cost", "mean latency"):
        table.add_column(heading, justify="left" if not heading else "right")
    for arm in experiment["arms"]:
        table.add_row(
            arm["label"],
            _number(arm["objective"]),
            _interval(arm["objective_low"], arm["objective_high"], ".4f"),
            _share(arm["accuracy"]),
            "unknown" if arm["mean_cost_usd"] is None else f"{arm['mean_cost_usd']} USD",
            "" if arm["mean_latency_ms"] is None else f"{arm['mean_latency_ms']:.1f} ms",
        )
    interval = _interval(result["low"], result["high"], "+.4f")
    table.add_row("difference", f"{result['effect']:+.4f}", interval, f"+{result['wins']} -{result['losses']}", "", "")
    console.print(table)
    for guard in result["guards"]:
        console.print(f"guard {guard['name']}: {guard['status']} ({guard['champion']} → {guard['challenger']})")
    console.print(_sentence(outcome, result))


def _sentence(outcome: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    reasons = ", ".join(reason.replace("_", " ") for reason in outcome["reasons"])
    if outcome["verdict"] == "no_regression":
        return f"No regression: {reasons} (margin {result['margin']:g})."
    if outcome["verdict"] == "regression":
        return f"Regression: {reasons}."
    more = outcome["n_more"]
    helps = "no number of samples would decide it" if more is None else f"about {more} more samples would decide it"
    return f"Inconclusive: {reasons} (margin {result['margin']:g}); {helps}."


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _interval(low: float | None, high: float | None, form: str) -> str:
    ends = ("none" if end is None else format(end, form) for end in (low, high))
    return "[{}, {}]".format(*ends)


def _fail(message: str, code: Exit) -> NoReturn:
    click.echo(f"spectral check: {message}", err=True)
    sys.exit(code)
