"""What can go wrong with workspaces."""

from uuid import UUID

from spectral.platform.shared.errors import (
    BusinessRuleViolationError,
    ConflictError,
    ForbiddenError,
    RateLimitedError,
)


class WorkspaceNameTakenError(ConflictError):
    """The account has a workspace of this name."""

    slug = "workspace-name-taken"
    title = "Workspace Name Taken"


class DeletionNotConfirmedError(BusinessRuleViolationError):
    """An account is deleted by somebody who writes down its name."""

    slug = "deletion-not-confirmed"
    title = "Deletion Not Confirmed"

    def __init__(self) -> None:
        super().__init__('Deleting an account takes its exact name as confirmation: {"confirm": "<name>"}')


class OwnerOfAccountError(BusinessRuleViolationError):
    """An owner of the account is an admin of each of its workspaces, whatever a workspace says."""

    slug = "owner-of-account"
    title = "Owner Of The Account"

    def __init__(self) -> None:
        super().__init__("This person owns the account and so is an admin here; change their role in the account")


class InvitePendingError(ConflictError):
    """An address has one open invite into an account at a time."""

    slug = "invite-pending"
    title = "Invite Pending"


class TooManyInvitesError(RateLimitedError):
    """The account has mailed as many invites as it may within a day."""

    slug = "too-many-invites"
    title = "Too Many Invites"

    def __init__(self, per_day: int, retry_after_s: int) -> None:
        super().__init__(f"An account mails {per_day} invites a day at most", retry_after_s)


class InviteNotValidError(BusinessRuleViolationError):
    """There is no invite with this token, or it was used, has expired or was revoked.

    account_id and invite_id, for the audit log: of the invite where there is one.
    """

    slug = "invite-not-valid"
    title = "Invite Not Valid"

    def __init__(self, detail: str, account_id: UUID | None = None, invite_id: UUID | None = None) -> None:
        super().__init__(detail)
        self.account_id = account_id
        self.invite_id = invite_id


class InviteForSomebodyElseError(ForbiddenError):
    """The invite is good, for another e-mail address than the caller's; account_id and invite_id as above."""

    slug = "invite-for-somebody-else"
    title = "Invite For Somebody Else"

    def __init__(self, account_id: UUID, invite_id: UUID) -> None:
        super().__init__("The invite is for another e-mail address than yours; sign in with that one")
        self.account_id = account_id
        self.invite_id = invite_id


class SupportGrantOpenError(ConflictError):
    """This person of the operations staff may enter this workspace already."""

    slug = "support-grant-open"
    title = "Support Grant Open"

    def __init__(self) -> None:
        super().__init__("You have an open grant for this workspace; end it before you take another")


class ObserveOnlyError(BusinessRuleViolationError):
    """The workspace is set to watch its agents and not to look for changes of them."""

    slug = "observe-only"
    title = "Observe Only"

    def __init__(self) -> None:
        super().__init__(
            "The workspace's autonomy is observe_only: no scans are started; choose another mode with PUT autonomy"
        )


class OutsideAutonomyError(BusinessRuleViolationError):
    """The workspace's mode of autonomy does not admit this action; `mode` and `action` say which."""

    slug = "outside-autonomy"
    title = "Outside Autonomy"

    def __init__(self, mode: str, action: str) -> None:
        super().__init__(
            f"The workspace's autonomy is {mode}: {action} is not part of it; choose another mode with PUT autonomy",
            mode=mode,
            action=action,
        )
