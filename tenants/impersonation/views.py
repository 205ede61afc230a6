"""What an operator presses in the banner of a look; it begins on the person's page in the console."""

from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from tenants.impersonation import looking, operations
from tenants.models import User


@require_POST
@login_required
def end(request: HttpRequest) -> HttpResponse:
    """Be oneself again, where the look began."""
    present = looking.looking_in(request.session)
    operations.stop_looking(operator=cast("User", request.user), session=request.session, why="ended")
    return redirect("admin:tenants_user_change", present.person_id) if present else redirect("home")


@require_POST
@login_required
def act(request: HttpRequest) -> HttpResponse:
    """Change things in the person's name from now on."""
    operations.start_acting(operator=cast("User", request.user), session=request.session, now=timezone.now())
    return redirect("home")
