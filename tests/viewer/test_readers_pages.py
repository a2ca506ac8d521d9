"""What somebody with the role of a reader finds on the pages: nothing to press that is not for them."""

from __future__ import annotations

import re

import httpx
from sqlalchemy import select

from insights.access.keys import create_key
from insights.access.roles import Role
from insights.models import Project
from tests.viewer.conftest import Whole, log_in

_FORM = re.compile(r"<form\b[^>]*\bmethod=\"post\"[^>]*>.*?</form>", re.IGNORECASE | re.DOTALL)
_ACTION = re.compile(r"\baction=\"([^\"]*)\"")


async def test_a_reader_finds_no_form_on_any_page_that_would_be_refused(whole: Whole) -> None:
    async with whole.database.transaction(None) as tx:
        name = await tx.scalar(select(Project.name).where(Project.id == whole.project_id))
    assert name is not None
    reader = await create_key(whole.database, name, "secret", [], role=Role.READER)
    transport = httpx.ASGITransport(whole.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://viewer.test") as client:
        assert (await log_in(client, reader.key)).status_code == 303
        found: dict[str, set[str]] = {}
        for path in whole.pages():
            # Pages of somebody who is not logged in yet have forms of their own.
            if path.startswith(("/login", "/forgotten", "/invitation", "/password")):
                continue
            page = await client.get(f"/app{path}")
            for form in _FORM.findall(page.text):
                if "<button" not in form:
                    continue
                action = _ACTION.search(form)
                assert action is not None, (path, form)
                found.setdefault(action[1], set()).add(path)
    own = {action for action in found if action == "/app/logout" or action.startswith("/app/settings/you")}
    assert len(found["/app/logout"]) > 20
    assert {action: paths for action, paths in found.items() if action not in own} == {}
