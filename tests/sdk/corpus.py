"""Labelled pages: what a visitor does on each, and exactly which signals that makes."""

# A page's markup reads best on one line.
# ruff: noqa: E501

from __future__ import annotations

from dataclasses import dataclass

Step = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A page's body, what is done on it, and the judged signals that must come of it: no other may."""

    name: str
    body: str
    steps: tuple[Step, ...]
    signals: frozenset[str] = frozenset()


JUDGED = frozenset(
    {
        "rage_click",
        "dead_click",
        "quick_back",
        "hover_hesitation",
        "exit_intent",
        "text_copied",
        "text_selected",
        "request_failed",
        "js_error",
        "form_abandoned",
        "form_submitted",
    }
)
"""Signals that say something about a visitor; page views, clicks, time and depth are in every visit."""

ONCE: tuple[Step, ...] = (("click", "#c"),)
ANGRY: tuple[Step, ...] = (("rage", "#c"),)
RAGE_DEAD = frozenset({"rage_click", "dead_click"})
CHANGES = "onclick=\"out.textContent += '!'\""
OUT = "<output id=out></output>"


def angry(name: str, body: str, *signals: str) -> Case:
    return Case(name, body + OUT, ANGRY, frozenset({"rage_click", *signals}))


def eager(name: str, body: str) -> Case:
    """Fast clicks that are meant."""
    return Case(name, body + OUT, ANGRY)


def dead(name: str, body: str) -> Case:
    return Case(name, body + OUT, ONCE, frozenset({"dead_click"}))


def alive(name: str, body: str, *signals: str) -> Case:
    return Case(name, body + OUT, ONCE, frozenset(signals))


CASES = (
    # Anger: three fast clicks where nobody clicks fast on purpose.
    angry("a buy button that does nothing", "<button id=c>Buy</button>", "dead_click"),
    angry("a buy button that only says wait", f"<button id=c {CHANGES}>Buy</button>"),
    angry(
        "a submit input", "<form onsubmit='return false'><input id=c type=submit value='Pay'></form>", "form_submitted"
    ),
    angry("a submit input outside any form", "<input id=c type=submit value='Pay'>", "dead_click"),
    angry("an image input", "<form onsubmit='return false'><input id=c type=image alt=Pay></form>", "form_submitted"),
    angry("a button input", "<input id=c type=button value='Pay'>", "dead_click"),
    angry("a step of the checkout", "<div class=checkout-steps><button id=c>Pay now</button></div>", "dead_click"),
    angry("a button that starts with next", "<button id=c>Next day delivery</button>", "dead_click"),
    angry("a link to nowhere", "<a id=c href='#'>Size chart</a>", "dead_click"),
    angry("a picture that looks clickable", "<div id=c style='cursor:pointer;width:90px;height:90px'></div>"),
    angry(
        "a button in a shadow tree",
        "<x-buy id=c></x-buy><script>c.attachShadow({mode:'open'}).innerHTML='<button>Buy</button>'</script>",
        "dead_click",
    ),
    angry(
        "words in the slot of a button",
        "<x-buy><span id=c>Buy</span></x-buy><script>document.querySelector('x-buy').attachShadow({mode:'open'}).innerHTML='<button><slot></slot></button>'</script>",
        "dead_click",
    ),
    # No anger: things that are clicked fast on purpose.
    eager("a plus", "<button id=c>+</button>"),
    eager("a minus", "<button id=c>−</button>"),
    eager("an increase by its label", "<button id=c aria-label='Increase quantity'><svg></svg></button>"),
    eager("a stepper by its class", "<button id=c class='btn qty-up'>more</button>"),
    eager("a stepper marked by the shop", "<div data-stepper><button id=c>more</button></div>"),
    eager(
        "a stepper drawn anew at each click",
        "<div id=w><p data-stepper><button id=c onclick='w.innerHTML = w.innerHTML'>more</button></div>",
    ),
    eager(
        "a stepper in a closed shadow tree",
        "<x-count id=c>1</x-count><script>{const r = c.attachShadow({mode:'closed'}); r.innerHTML='<button>more</button><slot></slot>'}</script>",
    ),
    eager("a spin button", "<div id=c role=spinbutton tabindex=0>3</div>"),
    eager("a slider", "<div id=c role=slider tabindex=0 style='width:90px'>3</div>"),
    eager("next", "<button id=c>Next</button>"),
    eager("previous slide", "<button id=c aria-label='Previous slide'>◀</button>"),
    eager("next month of a calendar", "<button id=c title='next month'>›</button>"),
    eager(
        "an arrow of a carousel",
        "<div class=swiper-button-next id=c style='cursor:pointer;width:40px;height:40px'></div>",
    ),
    eager("pause", "<button id=c>Pause</button>"),
    eager("volume up", "<button id=c aria-label='Volume up'></button>"),
    eager("a video", "<video id=c controls width=300 height=200></video>"),
    eager("an audio player", "<audio id=c controls></audio>"),
    eager("a number field", "<input id=c type=number value=1>"),
    eager("a text area", "<textarea id=c></textarea>"),
    eager("a checkbox", "<input id=c type=checkbox>"),
    eager("a range", "<input id=c type=range>"),
    eager("an editor", "<div id=c contenteditable>words</div>"),
    Case(
        "a paragraph read closely",
        "<p id=c>Three clicks select a paragraph.</p>",
        (("triple", "#c"),),
        frozenset({"text_selected"}),
    ),
    Case("slow clicks", f"<button id=c {CHANGES}>Buy</button>{OUT}", (("click", "#c"), ("wait", "1100")) * 3),
    Case(
        "clicks all over the place",
        f"<button {CHANGES} style='width:600px;height:400px' id=c>Paint</button>{OUT}",
        (("at", "40", "40"), ("at", "300", "60"), ("at", "90", "200"), ("at", "400", "240")),
    ),
    # Dead: a promise that nothing came of.
    dead("a button without a handler", "<button id=c>Buy</button>"),
    dead("a handler that only logs", "<button id=c onclick='console.debug(1)'>Buy</button>"),
    dead("a link to the top of a short page", "<a id=c href='#'>Top</a>"),
    dead("a void link", "<a id=c href='javascript:void(0)'>Size chart</a>"),
    dead("a role of button", "<span id=c role=button tabindex=0>Buy</span>"),
    dead("an icon in a button", "<button><svg id=c width=20 height=20><rect width=20 height=20 /></svg></button>"),
    Case(
        "a button without a handler that takes the focus from a field",
        "<input id=field><button id=c>Buy</button>" + OUT,
        (("click", "#field"), ("click", "#c")),
        frozenset({"dead_click"}),
    ),
    # Not dead: something came of it.
    alive("text that changes", f"<button id=c {CHANGES}>Buy</button>"),
    alive(
        "text that changes two seconds later",
        '<button id=c onclick="setTimeout(() => out.textContent = 1, 2000)">Buy</button>',
    ),
    Case(
        "a button that answers after another that did",
        f"<button id=a {CHANGES}>More</button><button id=c {CHANGES}>Less</button>{OUT}",
        (("click", "#a"), ("wait", "300"), ("click", "#c")),
    ),
    Case(
        "a button that does nothing after one that answered",
        f"<button id=a {CHANGES}>More</button><button id=c>Less</button>{OUT}",
        (("click", "#a"), ("wait", "300"), ("click", "#c")),
        frozenset({"dead_click"}),
    ),
    Case(
        "a shadow tree that changes after a button that did nothing",
        "<button id=a>Buy</button><x-menu id=c></x-menu><script>{const r = c.attachShadow({mode:'open'}); r.innerHTML='<button>Menu</button>'; r.firstChild.onclick = () => r.append('open')}</script>",
        (("click", "#a"), ("wait", "2600"), ("click", "#c")),
        frozenset({"dead_click"}),
    ),
    alive("a menu that opens on mousedown", "<button id=c onmousedown=\"out.textContent = 'menu'\">Menu</button>"),
    alive("a menu that opens on pointerdown", '<button id=c onpointerdown="out.hidden = true">Menu</button>'),
    alive("a menu that opens on mouseup", "<button id=c onmouseup=\"out.className = 'open'\">Menu</button>"),
    alive("a button that goes away", "<button id=c onclick='this.remove()'>Close</button>"),
    alive("a summary", "<details><summary id=c>More</summary>text</details>"),
    alive("a popover", "<button id=c popovertarget=pop>More</button><div id=pop popover>text</div>"),
    alive("a dialog", "<dialog id=d>hello</dialog><button id=c onclick='d.showModal()'>More</button>"),
    alive("a download", "<a id=c href='data:text/plain,x' download=x.txt>file</a>"),
    alive("a new tab", "<a id=c href='/other' target=_blank>tab</a>"),
    alive("a window of its own", "<button id=c onclick=\"open('/other')\">window</button>"),
    alive("a mail", "<a id=c href='mailto:shop@example.com'>mail</a>"),
    alive("a call", "<a id=c href='tel:+3212345'>call</a>"),
    alive("a place further down", "<a id=c href='#down'>down</a><p style='height:3000px'><p id=down>here"),
    alive(
        "a scroll by script", "<button id=c onclick='window.scrollTo(0, 500)'>down</button><p style='height:3000px'>"
    ),
    alive(
        "a smooth scroll inside a box",
        "<button id=c onclick=\"box.scrollBy({top: 300, behavior: 'smooth'})\">more</button><div id=box style='height:90px;overflow:auto'><p style='height:900px'></div>",
    ),
    alive("focus that moves", "<button id=c onclick='far.focus()'>Edit</button><input id=far>"),
    alive(
        "a label's checkbox menu",
        "<label for=box><button id=c type=button onclick='box.click()'>Menu</button></label><input type=checkbox id=box>",
    ),
    alive(
        "a value that changes",
        "<button id=c onclick='far.value++'>one more please</button><input id=far type=number value=1>",
    ),
    Case(
        "a value that changes in a field that came late",
        "<button id=c onclick='late.value++'>one more please</button>" + OUT,
        (
            ("wait", "700"),
            (
                "js",
                "document.body.append(Object.assign(document.createElement('input'), {id: 'late', type: 'number'}))",
            ),
            ("click", "#c"),
        ),
    ),
    alive(
        "a copy button",
        "<input id=far value=SAVE10><button id=c onclick=\"far.select(); document.execCommand('copy')\">Copy code</button>",
    ),
    alive("a route that changes", "<button id=c onclick=\"history.pushState({}, '', '/elsewhere')\">Go</button>"),
    alive("a link that leads on", "<a id=c href='/other'>other</a>"),
    alive("a form that is sent", "<form action='/other'><button id=c>Search</button></form>", "form_submitted"),
    alive(
        "a shadow tree that changes",
        "<x-menu id=c></x-menu><script>{const r = c.attachShadow({mode:'open'}); r.innerHTML='<button>Menu</button>'; r.firstChild.onclick = () => r.append('open')}</script>",
    ),
    alive(
        "a closed shadow tree that changes",
        "<x-buy id=c role=button>Buy</x-buy><script>{const r = c.attachShadow({mode:'closed'}); r.innerHTML='<slot></slot>'; c.onclick = () => r.append('!')}</script>",
    ),
    alive(
        "a closed shadow tree in a button that changes",
        "<button id=c>Buy <x-icon></x-icon></button><script>{const r = c.lastChild.attachShadow({mode:'closed'}); c.onclick = () => r.append('!')}</script>",
    ),
    alive("a disabled control", "<a id=c role=button aria-disabled=true href='#'>Sold out</a>"),
    alive(
        "a video that plays",
        "<button id=c onclick=\"v.dispatchEvent(new Event('play'))\">Trailer</button><video id=v></video>",
    ),
    alive(
        "a button in a frame that changes the frame",
        "<iframe id=f srcdoc=\"<button id=c onclick='this.after(1)'>Pay</button>\"></iframe>",
    ),
    Case(
        "a button that does nothing, in a frame that came late and has the focus",
        "<iframe id=f></iframe>",
        (
            ("wait", "2700"),
            ("js", "f.srcdoc = '<button id=c>Pay</button>'"),
            ("wait", "300"),
            ("click", "#c"),
            ("wait", "300"),
            ("click", "#c"),
        ),
        frozenset({"dead_click"}),
    ),
    # Hesitation, exits, text.
    Case(
        "a long look at a price",
        "<b data-price id=c>24 €</b>",
        (("hover", "#c"), ("wait", "2200")),
        frozenset({"hover_hesitation"}),
    ),
    Case(
        "a long look at the order button",
        f"<button data-cta id=c {CHANGES}>Order</button>{OUT}",
        (("hover", "#c"), ("wait", "2200")),
        frozenset({"hover_hesitation"}),
    ),
    Case(
        "a short look at a price",
        "<b data-price id=c>24 €</b><p id=d>away",
        (("hover", "#c"), ("wait", "900"), ("hover", "#d")),
    ),
    Case(
        "a look that ends in a click",
        f"<button data-cta id=c {CHANGES}>Order</button>{OUT}",
        (("hover", "#c"), ("wait", "900"), ("click", "#c")),
    ),
    Case(
        "a pointer that leaves over the top",
        "<p>mug",
        (("js", "document.dispatchEvent(new MouseEvent('mouseout', {clientY: 2, bubbles: true}))"),) * 2,
        frozenset({"exit_intent"}),
    ),
    Case(
        "a pointer that leaves at the side",
        "<p>mug",
        (("js", "document.dispatchEvent(new MouseEvent('mouseout', {clientX: 0, clientY: 300, bubbles: true}))"),),
    ),
    Case(
        "a text copied",
        "<section data-section=code><p id=c>SAVE10 with your first order",
        (("triple", "#c"), ("press", "Control+c"), ("wait", "700")),
        frozenset({"text_selected", "text_copied"}),
    ),
    Case(
        "a copy of what was typed",
        "<input id=c value=secret>",
        (("triple", "#c"), ("press", "Control+c"), ("wait", "700")),
    ),
    Case(
        "a selection in what is masked",
        "<p id=c data-whyleft-mask>Ann Example, Main Street",
        (("triple", "#c"), ("wait", "700")),
    ),
    # Forms.
    Case(
        "a form left behind",
        "<form id=pay><input id=c name=card></form>",
        (("type", "#c", "4111"),),
        frozenset({"form_abandoned"}),
    ),
    Case(
        "a form sent",
        "<form id=pay onsubmit='return false'><input id=c name=n><button id=b>Go</button></form>",
        (("type", "#c", "x"), ("click", "#b")),
        frozenset({"form_submitted"}),
    ),
    Case("a form only looked at", "<form id=pay><input id=c name=card></form>", (("click", "#c"),)),
    Case(
        "a form left for another tab and sent later",
        "<form id=pay onsubmit='return false'><input id=c name=n><button id=b>Go</button></form>",
        (("type", "#c", "x"), ("hide",), ("show",), ("click", "#b")),
        frozenset({"form_submitted"}),
    ),
    # Trouble.
    Case("a server's failure", "", (("js", "fetch('/api/reviews/500')"),), frozenset({"request_failed"})),
    Case("a refused coupon", "", (("js", "fetch('/api/coupon/409')"),), frozenset({"request_failed"})),
    Case("a missing avatar", "", (("js", "fetch('/api/avatar/404')"),)),
    Case(
        "a request the page gave up",
        "",
        (
            (
                "js",
                "{const c = new AbortController(); fetch('/api/cart/200', {signal: c.signal}).catch(() => 0); c.abort()}",
            ),
        ),
    ),
    Case(
        "a script's failure", "", (("js", "setTimeout(() => { throw new Error('no cart') })"),), frozenset({"js_error"})
    ),
    Case(
        "a promise nobody caught", "", (("js", "void Promise.reject(new Error('no price'))"),), frozenset({"js_error"})
    ),
    Case("a wait that was called off", "", (("js", "void Promise.reject(new DOMException('off', 'AbortError'))"),)),
    Case(
        "another origin's script", "", (("js", "dispatchEvent(new ErrorEvent('error', {message: 'Script error.'}))"),)
    ),
    Case(
        "a resize notice",
        "",
        (
            (
                "js",
                "dispatchEvent(new ErrorEvent('error', {message: 'ResizeObserver loop completed with undelivered notifications.'}))",
            ),
        ),
    ),
)
