"""The words of the preference pages, in the languages that they are written in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Words:
    """One language. ``{shop}`` and ``{to}`` are filled in."""

    title: str
    lead: str
    channels: Mapping[str, str]
    dead: str
    save: str
    none: str
    saved: str
    stop_title: str
    stop_lead: str
    stop: str
    stopped_title: str
    stopped: str
    choose: str
    broken_title: str
    broken: str


LANGUAGES: Final[Mapping[str, Words]] = {
    "en": Words(
        "What you get from {shop}",
        "Choose how {shop} may write to you. You can change it at any time.",
        {"email": "E-mail", "sms": "Text messages", "push": "Notifications on your devices"},
        "off, because messages came back from there",
        "Save",
        "Turn everything off",
        "Saved.",
        "Stop these messages?",
        "{shop} will write no more to {to}.",
        "Unsubscribe",
        "Done",
        "{shop} writes no more to {to}.",
        "Choose what you get",
        "This link is not complete",
        "Open it from the message again, or copy all of it.",
    ),
    "de": Words(
        "Was Sie von {shop} bekommen",
        "Wählen Sie, wie {shop} Ihnen schreiben darf. Sie können es jederzeit ändern.",
        {"email": "E-Mail", "sms": "SMS", "push": "Mitteilungen auf Ihren Geräten"},
        "aus, weil Nachrichten von dort zurückkamen",
        "Speichern",
        "Alles abschalten",
        "Gespeichert.",
        "Diese Nachrichten abbestellen?",
        "{shop} schreibt dann nicht mehr an {to}.",
        "Abbestellen",
        "Erledigt",
        "{shop} schreibt nicht mehr an {to}.",
        "Wählen, was Sie bekommen",
        "Dieser Link ist nicht vollständig",
        "Öffnen Sie ihn noch einmal aus der Nachricht, oder kopieren Sie ihn ganz.",
    ),
    "fr": Words(
        "Ce que vous recevez de {shop}",
        "Choisissez comment {shop} peut vous écrire. Vous pouvez le changer à tout moment.",
        {"email": "E-mail", "sms": "SMS", "push": "Notifications sur vos appareils"},
        "désactivé, car des messages en sont revenus",
        "Enregistrer",
        "Tout désactiver",
        "Enregistré.",
        "Ne plus recevoir ces messages ?",
        "{shop} n'écrira plus à {to}.",
        "Se désabonner",
        "C'est fait",
        "{shop} n'écrit plus à {to}.",
        "Choisir ce que vous recevez",
        "Ce lien est incomplet",
        "Ouvrez-le à nouveau depuis le message, ou copiez-le en entier.",
    ),
    "es": Words(
        "Lo que recibe de {shop}",
        "Elija cómo puede escribirle {shop}. Puede cambiarlo cuando quiera.",
        {"email": "Correo electrónico", "sms": "SMS", "push": "Notificaciones en sus dispositivos"},
        "desactivado, porque los mensajes fueron devueltos",
        "Guardar",
        "Desactivar todo",
        "Guardado.",
        "¿Dejar de recibir estos mensajes?",
        "{shop} no volverá a escribir a {to}.",
        "Darse de baja",
        "Hecho",
        "{shop} ya no escribe a {to}.",
        "Elegir lo que recibe",
        "Este enlace está incompleto",
        "Ábralo de nuevo desde el mensaje o cópielo entero.",
    ),
    "it": Words(
        "Che cosa riceve da {shop}",
        "Scelga come {shop} può scriverle. Può cambiare idea in qualsiasi momento.",
        {"email": "E-mail", "sms": "SMS", "push": "Notifiche sui suoi dispositivi"},
        "disattivato, perché i messaggi sono tornati indietro",
        "Salva",
        "Disattiva tutto",
        "Salvato.",
        "Non ricevere più questi messaggi?",
        "{shop} non scriverà più a {to}.",
        "Annulla l'iscrizione",
        "Fatto",
        "{shop} non scrive più a {to}.",
        "Scegliere che cosa ricevere",
        "Questo link non è completo",
        "Lo apra di nuovo dal messaggio, o lo copi per intero.",
    ),
    "nl": Words(
        "Wat u van {shop} krijgt",
        "Kies hoe {shop} u mag schrijven. U kunt het altijd wijzigen.",
        {"email": "E-mail", "sms": "Sms", "push": "Meldingen op uw apparaten"},
        "uit, omdat berichten daarvandaan terugkwamen",
        "Opslaan",
        "Alles uitzetten",
        "Opgeslagen.",
        "Deze berichten stoppen?",
        "{shop} schrijft dan niet meer naar {to}.",
        "Afmelden",
        "Klaar",
        "{shop} schrijft niet meer naar {to}.",
        "Kiezen wat u krijgt",
        "Deze link is niet volledig",
        "Open hem opnieuw vanuit het bericht, of kopieer hem helemaal.",
    ),
}


def language_of(known: str | None, accepted: str) -> str:
    """Their language: what their own browser said when they visited, else what this one accepts, else English."""
    for tag in (known or "", *_by_weight(accepted)):
        name = tag.strip().lower().partition("-")[0]
        if name in LANGUAGES:
            return name
    return "en"


def _by_weight(accepted: str) -> list[str]:
    """The tags of an Accept-Language header (RFC 9110), the most wanted first."""
    found = []
    for part in accepted[:500].split(","):
        tag, _, weight = part.partition(";q=")
        try:
            found.append((-float(weight or 1), tag))
        except ValueError:
            continue
    return [tag for _, tag in sorted(found, key=lambda pair: pair[0])]
