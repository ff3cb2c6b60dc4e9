"""HTTP of recovered templates: `/api/v1/workspaces/{workspace_id}/agents/{agent_id}/infer-template`."""

from typing import Any
from uuid import UUID

from litestar import Controller, post
from litestar.di import Provide

from spectral.domains.scans.inference.schemas import InferredMessageOut, InferredTemplateOut, InferTemplateIn
from spectral.domains.scans.inference.service import Inference, InferenceService
from spectral.domains.traces.mapping import SpanMapper
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import Database


def provide_inference_service(database: Database, access: WorkspaceAccess, span_mapper: SpanMapper) -> InferenceService:
    return InferenceService(database, access, span_mapper)


class InferenceController(Controller):
    """What can be read off an agent's traces."""

    path = "/api/v1/workspaces/{workspace_id:uuid}/agents/{agent_id:uuid}"
    tags = ("Agents",)
    guards = (requires(Scope.WRITE_WORKSPACE),)
    dependencies = {"service": Provide(provide_inference_service, sync_to_thread=False)}  # noqa: RUF012

    @post(
        "/infer-template",
        operation_id="inferTemplate",
        summary="Recover the template of an agent's prompts",
        description=(
            "Puts 3 to 500 observed prompts side by side and answers their fixed text and variables. With `store` the "
            "template becomes a config version; an agent that was only observed is executed as a replica from then on."
        ),
        status_code=200,
        opt={"idempotent": True},
    )
    async def infer_template(
        self, service: InferenceService, agent_id: UUID, data: InferTemplateIn
    ) -> InferredTemplateOut:
        return inferred_out(await service.infer(agent_id, data))


def inferred_out(found: Inference) -> InferredTemplateOut:
    template = found.template
    values: dict[str, Any] = {
        name: getattr(template, name) for name in ("coverage", "prompts", "reproduced", "other_shape")
    }
    return InferredTemplateOut(
        messages=[
            InferredMessageOut.model_validate({"role": role, "content": text}) for role, text in template.messages
        ],
        variables=list(template.variables),
        unreadable=found.unreadable,
        model=found.model,
        stored_version=found.stored_version,
        **values,
    )
