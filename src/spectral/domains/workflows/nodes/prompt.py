"""`prompt`: one question to a model."""

from spectral.domains.workflows.nodes.calls import NodeCall, NodeResult
from spectral.domains.workflows.nodes.model_calls import ModelCalls, read_question
from spectral.platform.llm.door import ModelDoor


class PromptWork:
    """Asks a model: `{model, messages | prompt, system?, parameters?, stream?}`.

    Outputs `{text, model, usage: {input_tokens, output_tokens}, cost_usd}`; cost_usd is null where it is not known.
    """

    def __init__(self, door: ModelDoor) -> None:
        self._door = door

    async def __call__(self, call: NodeCall) -> NodeResult:
        """Raises NodeError: `invalid-params`, and what `ModelCalls.ask` raises."""
        question = read_question(call)
        calls = ModelCalls(self._door, call)
        text = await calls.ask(question, stream=bool(call.params.get("stream")))
        return NodeResult({"text": text, "model": question.model, **calls.spent.outputs}, calls.spent.usage)
