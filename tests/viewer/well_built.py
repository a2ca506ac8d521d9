"""How a page is built, as far as a rule can tell: headings, landmarks, names, labels, ids."""

from __future__ import annotations

from playwright.async_api import Page


async def is_well_built(page: Page) -> None:
    """One h1, no heading level left out, names for controls, landmarks, unique ids."""
    found = await page.evaluate(
        """() => {
          const all = s => [...document.querySelectorAll(s)];
          const levels = all('h1,h2,h3,h4').map(h => Number(h.tagName[1]));
          const ids = all('[id]').map(e => e.id);
          const name = e => (e.getAttribute('aria-label') || e.textContent || e.title || '').trim();
          const lost = (e, a) => (e.getAttribute(a) || '').split(/\\s+/).filter(i => i && !document.getElementById(i));
          return {
            title: document.title.length > 10, lang: document.documentElement.lang,
            landmarks: ['header', 'main', 'footer'].map(s => all('body > ' + s).length),
            h1: levels.filter(l => l === 1).length,
            skipped: levels.filter((l, i) => l > (levels[i - 1] || 0) + 1),
            doubled: ids.filter((id, i) => ids.indexOf(id) !== i),
            unnamed: all('a, button, summary').filter(e => !name(e) && !e.closest('[aria-hidden=true]'))
              .map(e => e.outerHTML),
            unlabelled: all('input:not([type=hidden]), select')
              .filter(e => !e.labels.length && !e.getAttribute('aria-label')).map(e => e.outerHTML),
            lost: all('[aria-labelledby], [aria-describedby]')
              .flatMap(e => [...lost(e, 'aria-labelledby'), ...lost(e, 'aria-describedby')]),
            hidden_focus: all('[aria-hidden=true] a, [aria-hidden=true] button').filter(e => e.tabIndex >= 0).length,
          };
        }"""
    )
    assert found == {
        "title": True, "lang": "en", "landmarks": [1, 1, 1], "h1": 1, "skipped": [], "doubled": [], "unnamed": [],
        "unlabelled": [], "lost": [], "hidden_focus": 0,
    }, page.url  # fmt: skip
