"""New runs that begin in the middle: at a checkpoint of another run, or where one of its steps began."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.definitions.inputs import check_inputs
from spectral.domains.workflows.errors import StepNotBegunError, UnknownCheckpointError, UnknownStepError
from spectral.domains.workflows.execution.launching import Launcher, NewRun
from spectral.domains.workflows.execution.scope import Tree
from spectral.domains.workflows.execution.state import ENDED, GONE, Entry, NodeStatus, State, node_id_of
from spectral.domains.workflows.execution.store import RunRepository
from spectral.domains.workflows.models import WorkflowRun, WorkflowVersion
from spectral.domains.workflows.runs.authority import RunAct, RunAuthority
from spectral.domains.workflows.runs.checks import check_size
from spectral.domains.workflows.runs.reading_repository import RunReadRepository
from spectral.domains.workflows.runs.repository import CheckpointRepository, StepRepository, VersionRepository
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.errors import FieldError, ValidationFailedError

MAXIMUM_STATE_BYTES = 4 * 1024 * 1024
NAMED_STEPS = 50
NOT_BEGUN = frozenset({NodeStatus.PENDING.value, NodeStatus.UNREACHED.value})


@dataclass(frozen=True, slots=True)
class Changes:
    """What is different in the state that a new run begins with. context, artifacts: merge patches (RFC 7396).

    outputs: of steps that had ended, by key.
    """

    context: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GivenInput:
    """What a replayed step is given instead of what its mapping gives."""

    value: Any


class RunForking:
    """Makes runs of one workspace out of others, in the caller's transaction. What they are made of stays as it is."""

    def __init__(
        self, session: AsyncSession, access: WorkspaceAccess, launcher: Launcher, authority: RunAuthority
    ) -> None:
        self._session = session
        self._access = access
        self._launcher = launcher
        self._authority = authority
        self._runs = RunRepository(session, access, launcher.live)

    async def fork_run(
        self, source: str, index: int, *, name: str | None, inputs: Mapping[str, Any] | None, changes: Changes
    ) -> WorkflowRun:
        """A run that begins with the state of this checkpoint; what was in flight then is done again, nothing else is.

        Raises NotFoundError, UnknownCheckpointError (404), InvalidInputsError (422), ForbiddenError, DuplicateRunError.
        """
        run = await self._find(source)
        await self._authority.authorize(RunAct.FORK, run)
        if index >= run.next_index:
            raise UnknownCheckpointError(index, 0, run.next_index - 1)
        rows = await self._runs.checkpoints(run, index)
        state = State.load(rows).rewound()
        if inputs is not None:
            definition = await self._launcher.read_definition(self._session, self._access, run.version_id)
            state.document["inputs"] = check_inputs(definition, inputs)
        _change(state, changes)
        origin = {"kind": "fork", "step": None, "index": index}
        return await self._launch(run, state, list(rows[-1].next_nodes), origin, name)

    async def replay_run(
        self, source: str, step: str, *, name: str | None, given: GivenInput | None, changes: Changes
    ) -> WorkflowRun:
        """A run that begins where the step began for the last time; of what came before, nothing is done again.

        step: its key, or its node where that is only one.
        Raises NotFoundError, UnknownStepError (404), StepNotBegunError (400), ForbiddenError, DuplicateRunError.
        """
        run = await self._find(source)
        await self._authority.authorize(RunAct.REPLAY, run)
        key = await self._key_of(run, step)
        index = await self._begin_of(run, key)
        definition = await self._launcher.read_definition(self._session, self._access, run.version_id)
        before = State.load(await self._runs.checkpoints(run, index))
        state = before.rewound()
        _rewind(state, before.entry(key), key, Tree(definition))
        if given is not None:
            state.nodes[key] = {**state.entry(key), "inputs": given.value, "given": True}
        _change(state, changes)
        return await self._launch(run, state, [key], {"kind": "replay", "step": key, "index": index}, name)

    async def _find(self, name: str) -> WorkflowRun:
        return await RunReadRepository(self._session, self._access).find_by_name(name)

    async def _key_of(self, run: WorkflowRun, step: str) -> str:
        known = await StepRepository(self._session, self._access).keys(run)
        fitting = [key for key in known if key == step] or [key for key in known if node_id_of(key) == step]
        if len(fitting) == 1:
            return fitting[0]
        definition = await self._launcher.read_definition(self._session, self._access, run.version_id)
        named = {node.id for node in definition.graph.walk()}
        if fitting or step not in named:
            raise UnknownStepError(step, (fitting or known or sorted(named))[:NAMED_STEPS])
        raise StepNotBegunError(f"The run never came to the step {step}", steps=known[:NAMED_STEPS])

    async def _begin_of(self, run: WorkflowRun, key: str) -> int:
        """The index of the first checkpoint of the step's last iteration: the step has begun, what follows has not."""
        slices: list[_Slice] = []
        began: int | None = None
        last = (False, 0)
        for index, full, change, gone in await CheckpointRepository(self._session, self._access).changes_of(
            run, key, GONE
        ):
            if full or gone is not None:
                # All nodes in one; a change that replaces them holds the node elsewhere.
                whole = change if full else await self._entry_at(run, index, key)
                slices = [_Slice(True, {"nodes": {} if whole is None else {key: whole}})]
            elif change is not None:
                slices.append(_Slice(False, {"nodes": {key: change}}))
            found = State.load(slices).entry(key)
            slices = [_Slice(True, {"nodes": {key: found} if found else {}})]
            now = (_has_begun(found), found.get("iteration", 1) if found else 0)
            if now[0] and now != last:
                began = index
            last = now
        if began is None:
            raise StepNotBegunError(f"The run never came to the step {key}")
        return began

    async def _entry_at(self, run: WorkflowRun, index: int, key: str) -> Entry | None:
        return State.load(await self._runs.checkpoints(run, index)).nodes.get(key)

    async def _launch(
        self, run: WorkflowRun, state: State, next_nodes: Sequence[str], origin: dict[str, Any], name: str | None
    ) -> WorkflowRun:
        check_size(state.to_document(), MAXIMUM_STATE_BYTES, "/state")
        version = await VersionRepository(self._session, self._access).get(run.version_id)
        new = self._new(run, version, state, next_nodes, origin, name)
        made = await self._launcher.launch(self._session, self._access, new, self._access.actor)
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action=f"run.{'forked' if origin['kind'] == 'fork' else 'replayed'}",
            subject=f"run:{made.id}",
            detail={"source": str(run.id), "step": origin["step"], "index": origin["index"]},
        )
        return made

    @staticmethod
    def _new(
        run: WorkflowRun,
        version: WorkflowVersion,
        state: State,
        next_nodes: Sequence[str],
        origin: dict[str, Any],
        name: str | None,
    ) -> NewRun:
        return NewRun(
            version=version,
            workflow_name=run.workflow_name,
            inputs=state.document["inputs"],
            name=name,
            user_id=run.user_id,
            conversation_id=run.conversation_id,
            context=run.context,
            labels=run.labels,
            tags=run.tags,
            options=run.options,
            adapter=run.adapter,
            parent_run_id=run.id,
            parent={"run_id": str(run.id), "name": run.name, **origin},
            state=state,
            next_nodes=next_nodes,
        )


@dataclass(slots=True)
class _Slice:
    """A checkpoint of which only one node is left."""

    full: bool
    state: dict[str, Any]


def _has_begun(entry: Entry) -> bool:
    # A node that waits for its next try is pending in between, and has begun.
    return bool(entry) and (entry.get("status", "pending") not in NOT_BEGUN or "started_at" in entry)


def _rewind(state: State, before: Entry, key: str, tree: Tree) -> None:
    """The step is pending, in the iteration that it had; what its body did, and what followed at once, never was."""
    node_id = node_id_of(key)
    prefix = key[: len(key) - len(node_id)]
    state.forget(state.inside(f"{key}["))
    state.nodes[key] = {"status": NodeStatus.PENDING.value, "iteration": before.get("iteration", 1)}
    if before.get("status") in ENDED:
        # It ended in the very commit in which it began, as a step that is skipped does.
        for following in tree.graph(prefix).downstream(node_id) - {node_id}:
            state.forget([prefix + following, *state.inside(f"{prefix}{following}[")])


def _change(state: State, changes: Changes) -> None:
    """Raises ValidationFailedError (422) that names the nodes which have no outputs to be replaced."""
    for section in ("context", "artifacts"):
        state.document[section] = _patched(state.document[section], getattr(changes, section))
    wrong = []
    for key, outputs in changes.outputs.items():
        if state.status(key) not in ENDED:
            known = sorted(one for one in state.nodes if state.status(one) in ENDED)[:NAMED_STEPS]
            detail = f"has not ended at that point; these have: {', '.join(known) or 'none'}"
            wrong.append(FieldError(f"/state/nodes/{key.replace('~', '~0').replace('/', '~1')}", detail))
        else:
            state.put(key, outputs=outputs)
    if wrong:
        raise ValidationFailedError("The body failed validation", wrong)


def _patched(value: Any, patch: Any) -> Any:
    """Source: RFC 7396, "JSON Merge Patch", section 2."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(value) if isinstance(value, Mapping) else {}
    for name, change in patch.items():
        if change is None:
            merged.pop(name, None)
        else:
            merged[name] = _patched(merged.get(name), change)
    return merged
