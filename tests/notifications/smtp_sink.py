"""A mail server in a process of its own: prints its port, then each message as a line of JSON. Refuses nobody@…, 550."""

import asyncio
import json
import sys
from typing import Any

from aiosmtpd.smtp import SMTP


class Sink:
    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]) -> str:  # noqa: N802
        if address.startswith("nobody@"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        message = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "content": envelope.content.decode()}
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()
        return "250 OK"


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Sink(), loop=loop), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


asyncio.run(serve())
