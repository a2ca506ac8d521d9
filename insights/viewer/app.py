"""Builds the viewer: which page answers where."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from adapters.postgres.engine import Database
from insights.access.logins import Logins
from insights.access.passwords import Passwords
from insights.access.post import Post
from insights.access.throttle import LoginThrottles
from insights.shipped import shipped
from insights.viewer.access_pages import AccessPages
from insights.viewer.account_pages import AccountPages
from insights.viewer.action_form_pages import ActionFormPages
from insights.viewer.action_pages import ActionPages
from insights.viewer.channel_pages import ChannelPages
from insights.viewer.faults import Faults
from insights.viewer.flow_pages import FlowPages
from insights.viewer.gate import Gate
from insights.viewer.home_pages import HomePages
from insights.viewer.identity_pages import IdentityPages
from insights.viewer.insight_pages import InsightPages, Previews
from insights.viewer.lift_pages import LiftPages
from insights.viewer.link_pages import LinkPages
from insights.viewer.login import ResolveKey, Signer
from insights.viewer.login_pages import LoginPages
from insights.viewer.own_api import OwnApi
from insights.viewer.page_group import Desk, PageGroup
from insights.viewer.pattern_pages import Look, PatternPages
from insights.viewer.privacy_pages import PrivacyPages
from insights.viewer.reading import Reader
from insights.viewer.render import STATIC, Headers, environment
from insights.viewer.report_pages import ReportPages
from insights.viewer.segment_pages import SegmentPages
from insights.viewer.settings_pages import SettingsPages
from insights.viewer.stuck_pages import StuckPages
from insights.viewer.visit_pages import VisitPages


def create_viewer(
    database: Database,
    *,
    resolve_key: ResolveKey,
    signing_secret: bytes,
    secure_cookies: bool,
    public_url: str = "",
    query_seconds: float = 8.0,
    previews: Previews | None = None,
    channels: tuple[str, ...] = (),
    post: Post | None = None,
    sso_header: str = "",
    passwords: Passwords | None = None,
    api: ASGIApp | None = None,
    look: Look | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ASGIApp:
    """The viewer as an application to mount under a path of its own.

    ``signing_secret`` signs logins: who changes it logs everyone out. ``secure_cookies``: people come over https.
    ``public_url``: where pages say that the server is; empty, where it was asked.
    ``query_seconds``: a search that takes longer is given up, with advice. ``previews``: whoever asks a model, to
    show what is sent. ``channels``: the words that the server's own channels carry. ``post`` writes to
    members. ``sso_header``: names the member, on requests from a trusted proxy.
    ``api``: the application with the HTTP API; without it there are no pages of flows. ``look``: looks for patterns in
    a project now.
    """
    templates = environment()
    signer = Signer(signing_secret)
    reader = Reader(database, seconds=query_seconds)
    logins = Logins(database, seconds=query_seconds)
    throttles = LoginThrottles(database)
    passwords = passwords or Passwords()
    post = post or Post(None, "/app")
    gate = Gate(
        logins,
        signer=signer,
        templates=templates,
        secure_cookies=secure_cookies,
        clock=clock,
        sso_header=sso_header,
    )
    login_pages = LoginPages(
        database,
        gate,
        logins,
        resolve_key=resolve_key,
        passwords=passwords,
        throttles=throttles,
        clock=clock,
    )
    link_pages = LinkPages(
        database, gate, login_pages, passwords=passwords, throttles=throttles, post=post, clock=clock
    )
    desk = Desk(database, reader, gate, templates, clock, public_url.rstrip("/"))
    groups: list[PageGroup] = [
        HomePages(desk),
        VisitPages(desk),
        InsightPages(desk, previews),
        ActionPages(desk),
        PatternPages(desk, look),
        ReportPages(desk),
        LiftPages(desk),
        PrivacyPages(desk),
        ChannelPages(desk, channels),
        StuckPages(desk),
        AccountPages(desk, login_pages, passwords, throttles),
    ]
    if api is not None:
        groups = _that_change(desk, OwnApi(api), login_pages) + groups

    pages_and_files = Starlette(
        routes=[
            *login_pages.routes(),
            *link_pages.routes(),
            *(route for group in groups for route in group.routes()),
            Mount("/sdk", StaticFiles(directory=shipped("sdk"), check_dir=False)),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        exception_handlers=Faults(templates, clock).handlers(),
    )
    # As in the API around it: no redirect to the host that a request names.
    pages_and_files.router.redirect_slashes = False
    # Outside of everything, so that the page of an unforeseen fault has them too.
    return Headers(pages_and_files)


def _that_change(desk: Desk, api: OwnApi, login_pages: LoginPages) -> list[PageGroup]:
    """Pages with forms that the API answers. They come first: a form's address is no action's name."""
    return [
        ActionFormPages(desk, api),
        FlowPages(desk, api),
        SegmentPages(desk, api),
        AccessPages(desk, api),
        IdentityPages(desk, api),
        SettingsPages(desk, api, login_pages),
    ]
