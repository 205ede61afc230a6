"""While an operator looks as somebody, pages are made for that person, and nothing is changed."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import Resolver404, ResolverMatch, resolve
from django.utils import timezone
from django.utils.translation import gettext as _

from tenants.console import second_factor
from tenants.impersonation import looking, operations, rules
from tenants.impersonation.looking import Looking
from tenants.models import User


class ImpersonationMiddleware:
    """Put the person in the operator's place for the time of a request; the session stays the operator's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Leave alone who looks as nobody, and what is the operator's own."""
        present = looking.looking_in(request.session)
        if present is None or not request.user.is_authenticated:
            return self.get_response(request)
        match = _match(request)
        if rules.is_own(match):
            return self.get_response(request)
        operator, person = request.user, None
        if not second_factor.is_lacking(request, operator):
            person = operations.person_of(present, operator, timezone.now())
        if person is None:
            return self._over(request, operator, present)
        if match is not None and match.view_name == rules.SIGN_OUT:
            if request.method == "POST":
                operations.stop_looking(operator=operator, session=request.session, why="signed_out")
            return self.get_response(request)
        return self._looked(request, match, present, person)

    def _looked(self, request: HttpRequest, match: ResolverMatch | None, present: Looking, person: User) -> HttpResponse:
        """Answer as the person would be answered, or refuse in the operator's own name."""
        operator = cast("User", request.user)
        present = replace(present, acting=present.acting and looking.may_act(operator))
        request.operator_behind, request.looking = operator, present  # type: ignore[attr-defined]
        request.looking_as = person  # type: ignore[attr-defined]
        if not rules.may_send(request, match, acting=present.acting):
            return _refused(request, _("Nothing was changed: you look as %(person)s.") % {"person": person})
        if match is not None and not rules.may_see(match):
            return _refused(request, _("This is for %(person)s alone, not for who looks as them.") % {"person": person})
        request.user = person

        async def auser() -> User:
            return person

        request.auser = auser
        return self.get_response(request)

    def _over(self, request: HttpRequest, operator: User, present: Looking) -> HttpResponse:
        """Be the operator again, and say so; what was to be sent is not."""
        why = "over" if present.is_over(timezone.now()) else "rights"
        operations.stop_looking(operator=operator, session=request.session, why=why)
        messages.info(request, _("You look as nobody any more, and see the portal as yourself."))
        return redirect("admin:index" if operator.has_perm(looking.CONSOLE) else "home")


def _match(request: HttpRequest) -> ResolverMatch | None:
    try:
        return resolve(request.path_info)
    except Resolver404:
        return None


def _refused(request: HttpRequest, sentence: str) -> HttpResponse:
    return render(request, "tenants/impersonation/refused.html", {"refusal": sentence}, status=403)
