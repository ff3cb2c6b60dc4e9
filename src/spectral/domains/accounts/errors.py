"""What can go wrong with accounts and people."""

from spectral.platform.shared.errors import BusinessRuleViolationError, ConflictError


class EmailTakenError(ConflictError):
    """Somebody is registered with this e-mail address."""

    slug = "email-taken"
    title = "E-mail Address Taken"


class AlreadyMemberError(ConflictError):
    """The person belongs to the account, or to the workspace, already."""

    slug = "already-a-member"
    title = "Already A Member"


class LastOwnerError(BusinessRuleViolationError):
    """An account has at least one owner, who can neither be demoted nor removed nor leave."""

    slug = "last-owner"
    title = "Last Owner"

    def __init__(self) -> None:
        super().__init__("This is the account's last owner; make somebody else an owner first")


class StaffRoleError(BusinessRuleViolationError):
    """Operations staff are made and unmade by the operator of the installation, not through the API."""

    slug = "operations-role"
    title = "Operations Role"
