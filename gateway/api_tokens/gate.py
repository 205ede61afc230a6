"""What gwauth does with a request that brings an API token: rule 2, before anything that is about browsers."""

from concurrent.futures import Executor

from django.utils.translation import gettext as _

from aigc_portal.token_secrets import digest
from engines.states import InstanceState
from gateway.answers import Answer, refused_program
from gateway.api_tokens.guessing import PER_SECONDS, Guessing
from gateway.api_tokens.last_used import LastUsed
from gateway.api_tokens.limits import contains, permits
from gateway.api_tokens.secrets import is_well_formed
from gateway.api_tokens.waking import Waker
from gateway.callers import ApiClient, TokenFacts
from gateway.memory import Memory
from gateway.requests import Request
from gateway.standing import Standing, Verdict

WAKING_RETRY_SECONDS = 15
# From here a program may start an engine. One that failed wants somebody to look: a program would try for ever.
_WAKEABLE = frozenset({InstanceState.STOPPED, InstanceState.STOPPING})


class ApiGate:
    """Judges tokens by what is remembered of them; one per process."""

    def __init__(self, memory: Memory, executor: Executor) -> None:
        self.memory = memory
        self.guessing = Guessing(memory.clock)
        self.last_used = LastUsed(executor, memory.clock)
        self.waker = Waker(executor, memory.clock)

    async def admit(self, request: Request, secret: str) -> Answer | Standing:
        """Return the standing with which the program is let in, or the answer that refuses it. Raises as Memory does."""
        if len(request.authorizations) > 1:
            return refused_program(400, _("Send one Authorization header."), state="refused")
        client = ApiClient(digest(secret))
        if not is_well_formed(secret) or self.guessing.is_bad(client.digest):
            return _unknown()
        if not self.guessing.may_ask(client.digest, request.client):
            message = _("Too many unknown API tokens came from your address.")
            return refused_program(429, message, state="refused", retry_seconds=int(PER_SECONDS))
        standing = await self.memory.standing(request.slug, client)
        if standing.token is None:
            self.guessing.was_bad(client.digest)
            return _unknown()
        self.guessing.was_good(client.digest, request.client)
        return await self._judge(request, client, standing, standing.token)

    async def _judge(self, request: Request, client: ApiClient, standing: Standing, token: TokenFacts) -> Answer | Standing:
        if not contains(token.networks, request.client):
            return refused_program(403, _("This API token may not be used from your address."), state="refused")
        if not permits(token.rules, request.visit.method.decode("latin-1"), request.path):
            return refused_program(403, _("This API token may not do this."), state="refused")
        self.last_used.note(token.token_id)
        match standing.verdict:
            case Verdict.RUNNING:
                return standing
            case Verdict.RESTING:
                return await self._resting(request.slug, client, standing, token)
            case Verdict.NOT_ALLOWED:
                return refused_program(403, standing.message, state="refused")
            case _:
                return refused_program(404, standing.message, state="unknown")

    async def _resting(self, slug: str, client: ApiClient, standing: Standing, token: TokenFacts) -> Answer:
        message, starting = standing.message, standing.coming
        if not starting and token.may_wake and standing.state in _WAKEABLE:
            refusal = await self.waker.wake(slug, client.digest)
            message, starting = (refusal, False) if refusal else (_("The engine is starting."), True)
        state = "starting" if starting else standing.state
        return refused_program(503, message, state=state, retry_seconds=WAKING_RETRY_SECONDS)


def _unknown() -> Answer:
    return refused_program(401, _("This API token is not known, or not valid any more."), state="signed_out")
