"""What can go wrong with accounts and people."""

from spectral.platform.shared.errors import BusinessRuleViolationError, ConflictError


class EmailTakenError(ConflictError):
    """Somebody is registered with this e-mail address."""

    slug = "email-taken"
    title = "E-mail Address Taken"


class AccountNotChosenError(BusinessRuleViolationError):
    """The caller belongs to several accounts, or none, and did not say which one."""

    slug = "account-not-chosen"
    title = "Account Not Chosen"
