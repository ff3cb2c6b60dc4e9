"""Workflows that are stored, run, answered and looked at as their users do it: over HTTP, on a server that executes."""

from dataclasses import dataclass
from typing import Any

from tests.domains.workflows.runs.acting import PATIENCE_S, Stage

DONE = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True)
class Performance:
    """One workspace that runs its workflows."""

    stage: Stage

    async def store(self, source: str) -> str:
        """The workspace has this document as a workflow, or as its next version; answers the name."""
        compiled = await self.stage.post("/workflows/validate", {"source": source})
        assert compiled["errors"] == [], compiled
        name = str(compiled["name"])
        stored = await self.stage.send("PUT", f"/workflows/{name}", {"source": source})
        assert stored.is_success, stored.text
        return name

    async def example(self, name: str, **changed: str) -> str:
        """The workspace has this built-in example; `changed` names members with another duration."""
        examples = {each["name"]: each["source"] for each in (await self.stage.get("/workflows/examples"))["results"]}
        source = examples[name]
        for member, duration in changed.items():
            lines = source.splitlines(keepends=True)
            fitting = [index for index, line in enumerate(lines) if line.strip().startswith(f"{member}:")]
            assert fitting, f"{name} has no {member}"
            for index in fitting:
                lines[index] = f"{lines[index].partition(':')[0]}: {duration}\n"
            source = "".join(lines)
        return await self.store(source)

    async def run(self, name: str, inputs: dict[str, Any] | None = None, **body: Any) -> dict[str, Any]:
        """A run, once it has ended or asks a person."""
        return await self.seen(
            await self.stage.send(
                "POST", f"/workflows/{name}/runs", {"inputs": inputs or {}, "wait": PATIENCE_S, **body}
            )
        )

    async def begin(self, name: str, inputs: dict[str, Any] | None = None, *, until: str) -> dict[str, Any]:
        """A run that is on its way, once it is in this status."""
        started = await self.stage.post(f"/workflows/{name}/runs", {"inputs": inputs or {}}, expect=202)
        return await self.until(started["id"], until)

    async def until(self, run_id: str, *statuses: str) -> dict[str, Any]:
        """The run, once it is in one of these."""
        await self.stage.until(run_id, *statuses)
        return await self.stage.get(f"/runs/{run_id}")  # type: ignore[no-any-return]

    async def question(self, run: dict[str, Any]) -> dict[str, Any]:
        """The one thing that the run asks now."""
        (asked,) = (await self.stage.get(f"/runs/{run['id']}/interrupts?status=pending"))["results"]
        return asked  # type: ignore[no-any-return]

    async def answer(self, run: dict[str, Any], *, approved: bool = True, **more: Any) -> dict[str, Any]:
        """The run after this answer, once it has ended or asks again."""
        asked = await self.question(run)
        body = {"approved": approved, "wait": PATIENCE_S, **more}
        answered = await self.stage.post(f"/interrupts/{asked['id']}/answer", body)
        return answered["run"]  # type: ignore[no-any-return]

    async def signal(self, run: dict[str, Any], type: str, payload: Any) -> None:
        await self.stage.post(f"/runs/{run['id']}/signals", {"type": type, "payload": payload}, expect=202)

    async def steps(self, run: dict[str, Any]) -> dict[str, str]:
        """How each step of the run stands, by its key, in the order of their beginning."""
        found = (await self.stage.get(f"/runs/{run['id']}/steps?limit=100"))["results"]
        return {step["key"]: step["status"] for step in found}

    async def step(self, run: dict[str, Any], key: str) -> dict[str, Any]:
        """One step of the run."""
        found = (await self.stage.get(f"/runs/{run['id']}/steps?limit=100"))["results"]
        return next(step for step in found if step["key"] == key)

    async def events(self, run: dict[str, Any]) -> list[str]:
        """What happened: types, and the step where there is one."""
        found = (await self.stage.get(f"/runs/{run['id']}/events?limit=100"))["results"]
        assert [event["seq"] for event in found] == list(range(1, len(found) + 1))
        return [f"{event['type']} {event['node']}" if event["node"] else event["type"] for event in found]

    async def seen(self, answer: Any) -> dict[str, Any]:
        assert answer.status_code == 200, answer.text
        return answer.json()  # type: ignore[no-any-return]
