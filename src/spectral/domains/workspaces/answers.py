"""How deletions and support grants are answered, to customers and to operations staff."""

from litestar import Response

from spectral.domains.workspaces.deletions import Progress
from spectral.domains.workspaces.models import SupportGrant
from spectral.domains.workspaces.schemas import DeletionOut, SupportGrantOut
from spectral.domains.workspaces.support import status_of
from spectral.platform.shared.clock import utc_now


def accepted(progress: Progress, location: str) -> Response[DeletionOut]:
    """202 with the place where the deletion's progress is read."""
    return Response(
        DeletionOut.model_validate(progress), status_code=202, headers={"Location": f"{location}/{progress.id}"}
    )


def grant_out(grant: SupportGrant) -> SupportGrantOut:
    members = {name: getattr(grant, name) for name in SupportGrantOut.model_fields if name != "status"}
    return SupportGrantOut.model_validate(members | {"status": status_of(grant, utc_now())})
