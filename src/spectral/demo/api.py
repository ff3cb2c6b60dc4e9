"""The public API as the demo calls it: any answer but the expected one ends the demo."""

from typing import Any
from uuid import uuid4

import httpx

TIMEOUT_S = 60.0


class StepFailedError(Exception):
    """An answer was not the one that the demo needs; the message says which call and what came."""


class Api:
    """Calls one workspace of one server as the signed-in demo user."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.workspace = ""
        self._client = httpx.Client(base_url=self.url, timeout=TIMEOUT_S)

    def sign_in(self, access_token: str, workspace_id: str) -> None:
        """From now on as this person, in this workspace."""
        self._client.headers["Authorization"] = f"Bearer {access_token}"
        self.workspace = f"/api/v1/workspaces/{workspace_id}"

    def get(self, path: str, **options: Any) -> Any:
        """The JSON answer; paths that start with `W/` are the workspace's."""
        return self._answer("GET", path, 200, **options).json()

    def post(self, path: str, document: Any, expect: int = 201) -> Any:
        """The JSON answer to a POST with a fresh idempotency key where the route takes one."""
        headers = {} if path.startswith("/api/v1/auth") or path == "W/keys" else {"Idempotency-Key": str(uuid4())}
        return self._answer("POST", path, expect, json=document, headers=headers).json()

    def put(self, path: str, document: Any) -> Any:
        """The JSON answer to a PUT."""
        return self._answer("PUT", path, 200, json=document).json()

    def upload(self, path: str, content: str, media_type: str) -> Any:
        """The JSON answer to a file."""
        headers = {"Content-Type": media_type}
        return self._answer("POST", path, 200, content=content.encode(), headers=headers).json()

    def close(self) -> None:
        self._client.close()

    def _answer(self, method: str, path: str, expect: int, **options: Any) -> httpx.Response:
        where = self.workspace + path[1:] if path.startswith("W/") else path
        try:
            answer = self._client.request(method, where, **options)
        except httpx.TransportError as error:
            message = f"{method} {where}: {error}"
            raise StepFailedError(message) from error
        if answer.status_code != expect:
            message = f"{method} {where} answered {answer.status_code}, not {expect}: {answer.text[:600]}"
            raise StepFailedError(message)
        return answer
