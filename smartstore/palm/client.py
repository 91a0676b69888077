"""The palm service from the other side: what a gate or a desk calls over HTTP.

In: palms, tokens. Out: visits, or the reason why not. A gate that is told to wait waits for nobody: it asks again when
the next palm comes.
"""

import ssl
from types import TracebackType
from typing import Any, Self

import httpx
import numpy as np
from numpy.typing import ArrayLike, NDArray

from smartstore.palm.service import VisitToken
from smartstore.palm.tokens import TokenError


class PalmClientError(Exception):
    """The palm service does not answer, or not as it should; one line."""


class PalmRefusedError(PalmClientError):
    """The palm service refuses; ``reason`` in its words."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the palm service refuses: {reason}")
        self.reason = reason


class PalmClient:
    """One client of the palm service at ``url``, with its ``key``; ``transport`` stands in for the network."""

    def __init__(
        self, url: str, key: str, ca_file: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        head = {"Authorization": f"Bearer {key}"}
        trusted = ssl.create_default_context(cafile=ca_file)
        self._http = httpx.Client(base_url=url, headers=head, timeout=10, verify=trusted, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def enrol(self, palm: ArrayLike, liveness: float, wording: str) -> str:
        """Enrols somebody who agreed to the text of this version; returns their random id."""
        consent = {"given": True, "wording": wording}
        body = {"palm": _numbers(palm), "liveness": liveness, "consent": consent}
        return str(self._ask("POST", "/v1/people", body)["person"])

    def identify(self, palm: ArrayLike, liveness: float, party_size: int = 1) -> VisitToken | None:
        """A visit for whose palm this is; None for a palm that is not recognised."""
        body = {"palm": _numbers(palm), "liveness": liveness, "party_size": party_size}
        try:
            opened = self._ask("POST", "/v1/visits", body)
        except PalmRefusedError as refusal:
            if refusal.reason in ("unknown", "not alive", "ambiguous"):
                return None
            raise
        return VisitToken(opened["visit"], opened["token"], opened["expires_s"])

    def admit(self, token: str) -> str:
        """The visit that may come in now; raises TokenError when the token does not open this gate (any more)."""
        try:
            return str(self._ask("POST", "/v1/admissions", {"token": token})["visit"])
        except PalmRefusedError as refusal:
            raise TokenError(refusal.reason) from refusal

    def revoke(self, visit: str) -> None:
        """Makes a visit's token void."""
        self._ask("POST", "/v1/revocations", {"visit": visit})

    def delete(self, person: str) -> None:
        """Has somebody forgotten."""
        self._ask("DELETE", f"/v1/people/{person}")

    def public_key_pem(self) -> bytes:
        """What a store needs to check tokens."""
        return self._answer("GET", "/v1/key", None).content

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self._answer(method, path, body)
        return dict(answer.json()) if answer.content else {}

    def _answer(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        try:
            answer = self._http.request(method, path, json=body)
            if answer.is_success:
                return answer
            reason = str(answer.json()["reason"])
        except httpx.HTTPError as error:
            raise PalmClientError(f"{self._http.base_url}: the palm service does not answer ({error})") from error
        except (ValueError, KeyError, TypeError) as error:
            raise PalmClientError(f"{self._http.base_url}: is no palm service (status {answer.status_code})") from error
        raise PalmRefusedError(reason)


def _numbers(palm: ArrayLike) -> list[float]:
    values: NDArray[np.float64] = np.asarray(palm, np.float64).ravel()
    return [float(value) for value in values]
