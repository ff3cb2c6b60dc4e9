"""What people are written to about their credentials. Plain text; never holds a password or a code."""

from dataclasses import dataclass

SIGNATURE = "\n\nSpectral at {address}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """Subject and text of a mail."""

    subject: str
    text: str


class Letters:
    """address: of this installation, as people see it, without a slash at its end."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")

    def reset(self, token: str, minutes: int) -> Note:
        """The link that sets a new password."""
        # Behind `#`, so that the token is in no server's log and in no `Referer`.
        return self._note(
            "Set a new password",
            f"Somebody, hopefully you, asked for a new password. This link sets it, once, within {minutes} minutes:\n\n"
            f"{self._address}/reset-password#token={token}\n\n"
            "If it was not you, do nothing: your password stays as it is.",
        )

    def password_changed(self) -> Note:
        return self._warning("Your password was changed", "Your password was changed. Other sign-ins were ended.")

    def second_factor_added(self) -> Note:
        return self._warning(
            "A second factor was added", "From now on signing in takes a code of your authenticator app."
        )

    def second_factor_removed(self) -> Note:
        return self._warning(
            "Your second factor was removed", "From now on signing in takes no code of your authenticator app."
        )

    def recovery_code_used(self, left: int) -> Note:
        return self._warning(
            "A recovery code was used", f"One of your recovery codes was used as a second factor; {left} are left."
        )

    def _warning(self, subject: str, what: str) -> Note:
        advice = (
            "If it was not you, ask for a new password at once, which ends every sign-in, and tell the owner of your "
            f"account:\n\n{self._address}/reset-password"
        )
        return self._note(subject, f"{what}\n\n{advice}")

    def _note(self, subject: str, text: str) -> Note:
        return Note(subject, text + SIGNATURE.format(address=self._address))
