"""A visit's country is that of its browser's time zone, whatever the browser calls that."""

from __future__ import annotations

import pytest
from playwright.async_api import async_playwright

from flows.zones import RENAMED, zone
from insights.patterns.cells import country_of, zones
from tests.browser import ARGUMENTS, chromium_path


@pytest.mark.browser
async def test_every_place_has_its_country_by_the_name_that_chromium_gives_it() -> None:
    ours = sorted(zones().keys() - RENAMED.keys())
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        page = await browser.new_page()
        theirs = await page.evaluate(
            "names => names.map(timeZone => new Intl.DateTimeFormat('en', {timeZone}).resolvedOptions().timeZone)", ours
        )
        await browser.close()
    assert {name: country_of(name) for name in theirs} == {
        name: country_of(our) for name, our in zip(theirs, ours, strict=True)
    }
    assert None not in map(country_of, theirs)
    assert set(theirs) > RENAMED.keys(), "a name that no browser gives any more may go"


def test_a_zone_goes_by_the_name_it_has_today() -> None:
    found = [zone(name) for name in ("Asia/Calcutta", "Asia/Kolkata", "Europe/Berlin", "Mars/Base", None)]
    assert [one and one.key for one in found] == ["Asia/Kolkata", "Asia/Kolkata", "Europe/Berlin", None, None]
