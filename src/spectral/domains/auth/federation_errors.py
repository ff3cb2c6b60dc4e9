"""What can go wrong with signing in through another identity provider."""

from uuid import UUID

from spectral.platform.shared.errors import BusinessRuleViolationError, ConflictError, ForbiddenError, SpectralError


class IdentityProviderFailedError(SpectralError):
    """The identity provider did not answer, or not with what its protocol says; the log knows what."""

    status = 502
    slug = "identity-provider-failed"
    title = "Identity Provider Failed"

    def __init__(self, provider: str) -> None:
        super().__init__(f"{provider} did not answer as an identity provider should; try again", provider=provider)


class SignInStateError(BusinessRuleViolationError):
    """What came back from the identity provider does not belong to a sign-in that this browser has begun here."""

    slug = "sign-in-state"
    title = "Sign-In Not Under Way"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; start signing in again")


class SignInRefusedError(BusinessRuleViolationError):
    """The identity provider does not know the code, or has taken it before."""

    slug = "sign-in-refused"
    title = "Sign-In Refused"

    def __init__(self, provider: str) -> None:
        super().__init__(f"{provider} did not accept the code; start signing in again", provider=provider)


class EmailNotVerifiedError(ForbiddenError):
    """The provider does not vouch for an e-mail address, so nobody here can be found or made by it."""

    slug = "email-not-verified"
    title = "E-mail Address Not Verified"

    def __init__(self, provider: str) -> None:
        super().__init__(f"{provider} knows no verified e-mail address of yours; verify one there", provider=provider)


class AddressLinkedError(ConflictError):
    """The person with this address signs in with another identity of the same provider. user_id: that person."""

    slug = "address-linked"
    title = "Address Linked"

    def __init__(self, provider: str, user_id: UUID) -> None:
        super().__init__(
            f"Another identity of {provider} opens the account with this address; whoever it belongs to can remove "
            "that link",
            provider=provider,
        )
        self.user_id = user_id


class LastWayInError(BusinessRuleViolationError):
    """Without this link, and without a password, the person could not sign in any more."""

    slug = "last-way-in"
    title = "Last Way In"

    def __init__(self) -> None:
        super().__init__("This is your last way to sign in; set a password or sign in with another provider first")


class OtherSessionNeededError(BusinessRuleViolationError):
    """Whoever asks for single sign-on must have come by it, so that nobody is locked out by their own setting."""

    slug = "other-session-needed"
    title = "Other Session Needed"

    def __init__(self, provider: str) -> None:
        super().__init__(f"Sign in with {provider} first, then make it the only way into this account")
