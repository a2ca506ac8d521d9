"""``whyleft audit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from insights.audit.audit import Wish, run
from insights.audit.exports import Format
from insights.audit.page import money_range, page
from insights.audit.report import document
from insights.audit.stakes import ADDRESS, COMES_BACK, LIVE_EFFECT, MAIL_EFFECT, Given
from insights.cli.trouble import screen, told
from insights.decisions.content import ShopFacts
from insights.errors import Refused
from insights.viewer.wording import label
from insights.vocabulary.shares import percent

PAGE = Path("whyleft-audit.html")


def _usual(ends: tuple[float, float]) -> str:
    low, high = sorted(ends)
    return f"{low:g}:{high:g}"


def audit(
    files: Annotated[list[Path], typer.Argument(help="The export, in one file or several.", show_default=False)],
    format: Annotated[Format | None, typer.Option(help="What the files are.", show_default="found out")] = None,
    html: Annotated[Path | None, typer.Option(help="Where to write the page.", show_default=str(PAGE))] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object; a page only with --html.")] = False,
    currency: Annotated[str, typer.Option(help="Currency of prices that name none, like EUR.")] = "",
    margin: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of an order that is margin.", show_default=False)
    ] = None,
    free_shipping_from: Annotated[
        int | None, typer.Option(min=1, help="Free delivery from, in minor units.", show_default=False)
    ] = None,
    gap: Annotated[int, typer.Option(min=1, max=1440, help="Minutes of silence that end a visit.")] = 30,
    mail_effect: Annotated[
        str, typer.Option(help="Share of those written to who order because of it, LOW:HIGH.")
    ] = _usual(MAIL_EFFECT),
    live_effect: Annotated[
        str, typer.Option(help="Share of those shown something who order because of it, LOW:HIGH.")
    ] = _usual(LIVE_EFFECT),
    address: Annotated[
        str, typer.Option(help="Share that can be written to where no address is known, LOW:HIGH.")
    ] = _usual(ADDRESS),
    comes_back: Annotated[
        str,
        typer.Option(
            help="Share that comes back and orders by itself, LOW:HIGH.",
            show_default=f"measured, else {_usual(COMES_BACK)}",
        ),
    ] = "",
) -> None:
    """Find out from an export of past events where visits are lost, and how much money that may be.

    Reads our events, Segment's, GA4's BigQuery export (JSON lines), REES46 (CSV) and YooChoose, gzip or not. Nothing is
    stored, and nothing leaves this machine.

    Example: [bold]whyleft audit events_*.json.gz --margin 0.35[/bold]
    """
    with told():
        if currency and (len(currency) != 3 or not currency.isascii() or not currency.isupper()):
            raise Refused("--currency: must be a three-letter code in capitals, like EUR.", field="currency")
        given = Given(
            mail_effect=_range("--mail-effect", mail_effect, MAIL_EFFECT),
            live_effect=_range("--live-effect", live_effect, LIVE_EFFECT),
            address=_range("--address", address, ADDRESS),
            comes_back=_range("--comes-back", comes_back, None) if comes_back else None,
            margin=margin,
        )
        facts = ShopFacts(free_shipping_from_minor=free_shipping_from, currency=currency)
        wish = Wish(tuple(files), format, gap * 60_000, currency, facts, given)
        found = document(_watched(wish))
        target = html or (None if json else PAGE)
        if target is not None:
            _write(target, page(found))
        if json:
            typer.echo(msgspec.json.encode(found).decode())
        else:
            _print(found)
            typer.echo(f"\nThe whole report: {target}")


def _watched(wish: Wish) -> Any:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("Reading")
        return run(wish, lambda what, done, size: bar.update(task, description=what, completed=done, total=size or 1))


def _range(option: str, text: str, usual: tuple[float, float] | None) -> tuple[float, float] | None:
    """LOW:HIGH, or one number for both; None when it is what is usual anyway."""
    parts = text.split(":")
    try:
        low, high = (float(parts[0]), float(parts[-1])) if len(parts) in (1, 2) else (-1.0, -1.0)
    except ValueError:
        low = high = -1.0
    if not 0 <= low <= high <= 1:
        raise Refused(f"{option}: must be LOW:HIGH with shares from 0 to 1, like 0.005:0.03.", field=option)
    return None if usual is not None and (low, high) == tuple(sorted(usual)) else (low, high)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused(f"{path} cannot be written ({error.strerror}): name another place with --html.") from None


def _print(found: dict[str, Any]) -> None:
    out = Console(highlight=False, markup=False, soft_wrap=True)
    reading = found["reading"]
    out.print(
        f"{found['visits']:,} visits of {reading['events']:,} events ({found['format']}), "
        f"{found['period']['from'][:10]} to {found['period']['to'][:10]}"
    )
    if reading["unread"]:
        first = reading["unread_examples"][0]
        out.print(f"{reading['unread']:,} could not be read; the first: line {first['line']}: {first['problem']}")
    if found["visits_with_an_order"] is not None:
        out.print(f"{found['visits_with_an_order']:,} ended with an order")
    verb = "Lost" if found["visits_with_an_order"] is not None else "Ended"
    out.print(f"\n{verb} by stage")
    for one in found["stages"]:
        out.print(f"  {label(one['stage']):14} {one['visits']:>9,}  {percent(one['share']):>6}")
    if found["pages"]:
        out.print(f"\n{verb} by {found['pages_are']}")
    for one in found["pages"][:8]:
        out.print(f"  {one['visits']:>9,}  {one['page']}")
    out.print("\nMoney at stake")
    for money in found["money"]:
        out.print(f"  {money_range(money['at_stake_minor'], money['currency'])} of what was left in carts")
    if found["money_untold"]:
        out.print(f"  {found['money_untold']}")
    for one in found["assumptions"] if found["money"] else ():
        out.print(f"  {one['name']}: {one['low']:.1%} (low end) to {one['high']:.1%} (high end), {one['source']}")
    out.print("\nWhat this export cannot tell")
    for sentence in found["cannot_tell"]:
        out.print(f"  {sentence}")
