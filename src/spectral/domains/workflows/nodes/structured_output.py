"""`structured_output`: a question to a model whose answer must be JSON of a given shape."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from spectral.domains.agents.json_values import storable_json
from spectral.domains.evaluations.scorers.base import NotJsonError, parse_json
from spectral.domains.workflows.definitions.json_schemas import schema_failures, schema_problem
from spectral.domains.workflows.nodes.calls import NodeCall, NodeResult
from spectral.domains.workflows.nodes.model_calls import ModelCalls, invalid_params, read_question
from spectral.platform.llm.calls import ModelMessage
from spectral.platform.llm.door import ModelDoor

DEFAULT_REPAIRS: Final = 1
MAXIMUM_REPAIRS: Final = 3
SHOWN_FAILURES: Final = 10
INSTRUCTION: Final = "Answer with one JSON document that is valid against this JSON Schema, and with nothing else:"


@dataclass(frozen=True, slots=True)
class _Reading:
    """An answer read: its data, or why it is not what was asked for."""

    data: Any = None
    problem: str | None = None


class StructuredOutputWork:
    """Asks a model for JSON: params as `prompt`, with `schema` (JSON Schema 2020-12) and `max_repairs` (0–3, else 1).

    An answer that is not JSON, or not valid, is shown to the model again with what is wrong, so often at most.
    Outputs `{data, text, model, usage, cost_usd, repairs}`: the last answer, and what all of them took.
    Patterns in the schema are RE2, and checking is bounded (see `definitions.json_schemas`).
    """

    def __init__(self, door: ModelDoor) -> None:
        self._door = door

    async def __call__(self, call: NodeCall) -> NodeResult:
        """Raises NodeError: `invalid-structured-output` (retryable), `invalid-params`, and as `ModelCalls.ask`."""
        question = read_question(call)
        schema = call.params.get("schema")
        # As heavy as the schema says, so not on the event loop.
        if (problem := await asyncio.to_thread(schema_problem, schema)) is not None:
            raise invalid_params(f"schema: {problem}")
        most = _read_repairs(call.params.get("max_repairs"))
        question = question.instructed(
            f"{INSTRUCTION}\n{json.dumps(schema, ensure_ascii=False, separators=(',', ':'))}"
        )
        calls = ModelCalls(self._door, call)
        stream = bool(call.params.get("stream"))
        repairs = 0
        while True:
            text = await calls.ask(question, stream=stream)
            reading = await asyncio.to_thread(_read, schema, text)
            if reading.problem is None:
                outputs = {"data": reading.data, "text": text, "model": question.model, "repairs": repairs}
                return NodeResult({**outputs, **calls.spent.outputs}, calls.spent.usage)
            if repairs == most:
                detail = f"{question.model} did not answer with valid JSON: {reading.problem}"
                raise calls.failed("invalid-structured-output", detail)
            repairs += 1
            again = f"That is not what was asked for: {reading.problem}. Answer with the corrected JSON only."
            question = question.saying(ModelMessage("assistant", text), ModelMessage("user", again))


def _read(schema: Any, text: str) -> _Reading:
    try:
        data = storable_json(parse_json(text))
    except NotJsonError as error:
        return _Reading(problem=f"the answer {error}")
    except ValidationError as error:
        return _Reading(problem=f"the answer {error.errors(include_url=False, include_input=False)[0]['msg']}")
    wrong = schema_failures(schema, data)
    if not wrong:
        return _Reading(data)
    told = "; ".join(f"{one.pointer or 'the whole'}: {one.detail}" for one in wrong[:SHOWN_FAILURES])
    return _Reading(problem=told if len(wrong) <= SHOWN_FAILURES else f"{told}; and more")


def _read_repairs(value: Any) -> int:
    if value is None:
        return DEFAULT_REPAIRS
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAXIMUM_REPAIRS:
        raise invalid_params(f"max_repairs must be a whole number from 0 to {MAXIMUM_REPAIRS}")
    return value
