"""How much a request may bring: a palm is a few kilobytes, and nobody fills the memory with more.

In: ASGI requests. Out: the same, or 413.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 64 * 1024


class SmallBodies:
    """ASGI middleware that reads no body beyond MOST_BYTES, whatever its length is said to be."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = b""
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            if len(body) > MOST_BYTES:
                await _refuse(send)
                return
            if not message.get("more_body", False):
                break

        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)


async def _refuse(send: Send) -> None:
    content = b'{"reason":"too large","detail":"a request has at most 65536 bytes"}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": content})
