"""What gwauth does with one request. The rules are numbered, and asked in their order."""

import asyncio
import hmac
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlencode

import redis
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from aigc_portal.embedded.layout import layout_of
from engines.activity.classes import USE, RequestClass
from engines.activity.recorded import Recorder
from gateway import handoff
from gateway.answers import Answer, allowed, redirect, refused
from gateway.api_tokens.gate import ApiGate
from gateway.callers import Visitor
from gateway.cookies import NONCE, PASS, set_cookie
from gateway.languages import in_language_of
from gateway.listening import listen_for_changes
from gateway.memory import PATIENCE_SECONDS, Memory
from gateway.names import safe_path, slug_of_host
from gateway.requests import Request, read_request
from gateway.rules import refusal
from gateway.standing import Standing, Unavailable, Verdict, look_up_in_thread, stay_in_thread
from gateway.streams import watch_streams
from gateway.tokens import Keyring, Token, new_token, renewed
from gateway.use import class_of

log = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

THREADS = 8


class Gate:
    """The application; one per process."""

    def __init__(self, memory: Memory, executor: ThreadPoolExecutor) -> None:
        self.memory = memory
        self.executor = executor
        self.recorder = Recorder()
        self.keyring = Keyring(settings.GATEWAY_KEYS)
        self.secret = settings.GATEWAY_SECRET.encode()
        self.api = ApiGate(memory, executor)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one connection of the ASGI server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":  # the platform's own paths have none
            await send({"type": "websocket.close"})
        else:
            answer = await self.answer(scope)
            length = (b"content-length", str(len(answer.body)).encode())
            await send({"type": "http.response.start", "status": answer.status, "headers": [*answer.headers, length]})
            await send({"type": "http.response.body", "body": answer.body})

    async def _live(self, receive: Receive, send: Send) -> None:
        """Listen for changes, and tell of the engines' use, from start-up to shutdown."""
        await receive()
        streams = watch_streams(self.recorder, layout_of(settings.DATA_DIR).gateway_admin_socket, self.executor)
        beside = [asyncio.create_task(each) for each in (listen_for_changes(self.memory), self.recorder.run(), streams)]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        self.executor.shutdown(wait=False, cancel_futures=True)
        await send({"type": "lifespan.shutdown.complete"})

    async def answer(self, scope: MutableMapping[str, Any]) -> Answer:
        """Rule 1: only the gateway may ask, and only for the exact host of an instance."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if not hmac.compare_digest(headers.get(b"x-aigc-gw", b""), self.secret):
            return refused(403, "Only the gateway may ask.", state="refused", page=False)
        slug = slug_of_host(headers.get(b"host", b"").decode("latin-1"))
        if slug is None:
            return refused(404, _("There is nothing here, or it is not yours."), state="unknown", page=False)
        request = read_request(slug, scope, headers)
        with in_language_of(request.visit):
            return await self._answer(request, scope["path"], judging=b"x-forwarded-method" in headers)

    async def _answer(self, request: Request, path: str, *, judging: bool) -> Answer:
        try:
            if path == "/_gw/auth" and judging:
                return await self._judge(request)
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._platform(path, request)
        except (Unavailable, redis.RedisError, TimeoutError) as error:
            log.warning("nobody can be let in: %s", error.__cause__ or repr(error))
            sentence = _("The portal cannot check your access at the moment. Try again in a few seconds.")
            return refused(503, sentence, state="unavailable", page=request.page)

    async def _judge(self, request: Request) -> Answer:
        """Rules 2 to 5, on what the request itself says."""
        visit, page = request.visit, request.page
        if request.bearer is not None:  # no cookie is looked at, and no origin: neither comes by itself with a token
            return await self._admit_program(request, request.bearer)
        if visit.is_worker_script:
            return refused(403, _("Service workers are not allowed here."), state="refused", page=False)
        if request.cookies.doubled:
            return refused(400, _("Two cookies have the same name. Delete this page's cookies."), state="refused", page=page)
        token = self._token(request)
        if token is None:
            return self._sign_in(request)
        refused_because = refusal(visit)
        if refused_because:
            return refused(403, refused_because, state="refused", page=False)
        return await self._admit(request, token)

    async def _admit_program(self, request: Request, secret: str) -> Answer:
        admitted = await self.api.admit(request, secret)
        if isinstance(admitted, Standing) and not await self._stays(request, admitted, is_token=True):
            admitted = await self.api.admit(request, secret)
        return admitted if isinstance(admitted, Answer) else self._let_in(request, admitted, is_token=True)

    async def _admit(self, request: Request, token: Token) -> Answer:
        """Rules 6 to 8, on what is known of visitor and instance."""
        standing, page = await self._standing(request, Visitor(token.user_id, token.session)), request.page
        match standing.verdict:
            case Verdict.RUNNING:
                return self._let_in(request, standing, is_token=False, renewed=self._renewed(token))
            case Verdict.SIGNED_OUT:
                return self._sign_in(request)
            case Verdict.RESTING if page:
                return redirect(302, _waking_url(request))
            case Verdict.RESTING:
                return refused(503, standing.message, state=standing.state, page=False, retry_seconds=standing.retry_seconds)
            case Verdict.NOT_ALLOWED:
                return refused(403, standing.message, state="refused", page=page)
            case Verdict.NOT_VISIBLE:
                return refused(404, standing.message, state="unknown", page=page)

    async def _standing(self, request: Request, visitor: Visitor) -> Standing:
        standing = await self.memory.standing(request.slug, visitor)
        if standing.verdict is Verdict.RESTING and request.page:
            # Somebody may come from the waking page, which knows more: sent back on an old memory they would go in circles.
            return await self.memory.standing(request.slug, visitor, keep_seconds=0)
        if not await self._stays(request, standing, is_token=False):
            return await self.memory.standing(request.slug, visitor)
        return standing

    async def _stays(self, request: Request, standing: Standing, *, is_token: bool) -> bool:
        """Who uses an engine that is about to be released wins. False if the release was faster: what stands is another now."""
        if not standing.releasing or class_of(request, standing.rules, is_token=is_token) not in USE:
            return True
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE_SECONDS):
            stays = await loop.run_in_executor(self.executor, stay_in_thread, request.slug)
        self.memory.forget(request.slug)
        return stays

    def _let_in(self, request: Request, standing: Standing, *, is_token: bool, renewed: str = "") -> Answer:
        """On to the engine: with its own cookies, and its own Authorization unless a token of ours stands there."""
        own = "" if is_token or not request.authorizations else request.authorizations[-1]
        request_class = class_of(request, standing.rules, is_token=is_token)
        self.recorder.note(request.slug, request_class, time.time())
        return allowed(
            standing.upstream,
            cookie=request.cookies.engine_part,
            authorization=own,
            renewed=renewed,
            work=request_class is RequestClass.WORK,
        )

    def _renewed(self, token: Token) -> str:
        now = int(time.time())
        longer = renewed(token, now=now)
        return self._pass(longer, now) if longer else ""

    def _sign_in(self, request: Request) -> Answer:
        """Rule 6: whoever opened a page goes through the portal; a script, which would follow a redirect blindly, gets 401."""
        if not request.page:
            return refused(401, _("Sign in at the portal, then reload this page."), state="signed_out", page=False)
        nonce = handoff.usable_nonce(request.cookies.nonce)
        location = handoff.authorize_url(slug=request.slug, nonce=nonce, path=safe_path(request.path))
        return redirect(302, location, set_cookie=set_cookie(NONCE, nonce, max_age=handoff.NONCE_SECONDS))

    async def _platform(self, path: str, request: Request) -> Answer:
        """The paths that engines do not have."""
        if path not in {"/.aigc/callback", "/.aigc/sign-out"}:
            return refused(404, _("There is nothing here, or it is not yours."), state="unknown", page=False)
        if request.visit.method != b"GET":
            return refused(405, _("Only GET is possible here."), state="refused", page=False)
        if request.cookies.doubled:
            return refused(400, _("Two cookies have the same name. Delete this page's cookies."), state="refused", page=True)
        if path == "/.aigc/sign-out":
            return redirect(303, settings.PORTAL_ORIGIN + "/", set_cookie=set_cookie(PASS, "", max_age=0))
        return await self._call_back(request)

    async def _call_back(self, request: Request) -> Answer:
        """Exchange the one-time code for a pass."""
        code = parse_qs(request.query).get("code", [""])[0]
        nonce = request.cookies.nonce
        redeem = handoff.redeem_code
        loop = asyncio.get_running_loop()
        grant = await loop.run_in_executor(self.executor, lambda: redeem(code, slug=request.slug, nonce=nonce))
        if grant is None:
            sentence = _("This sign-in has expired or was used already. Open the engine from the portal again.")
            return refused(400, sentence, state="refused", page=True)
        now = int(time.time())
        token = new_token(slug=grant.slug, user_id=grant.user_id, session=grant.session, now=now)
        return redirect(303, safe_path(grant.path), set_cookie=self._pass(token, now))

    def _token(self, request: Request) -> Token | None:
        return self.keyring.read(request.cookies.token, slug=request.slug, now=int(time.time()))

    def _pass(self, token: Token, now: int) -> str:
        return set_cookie(PASS, self.keyring.sign(token), max_age=token.expires_at - now)


def _waking_url(request: Request) -> str:
    page = reverse("waking", args=[request.slug])
    return f"{settings.PORTAL_ORIGIN}{page}?{urlencode({'rd': safe_path(request.path)})}"


def make_app() -> Gate:
    """The application with its own threads and memory."""
    executor = ThreadPoolExecutor(THREADS, thread_name_prefix="look-up")
    return Gate(Memory(look_up_in_thread, executor), executor)
