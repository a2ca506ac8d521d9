"""The words that every shop needs and none has to write: what closes an action, and what stands over the field for an
address, by language."""

from __future__ import annotations

from typing import Final, NamedTuple


class SmallWords(NamedTuple):
    """``close``: on the button that does nothing else. ``email``: over the field for an address."""

    close: str
    email: str


ENGLISH: Final = SmallWords("Close", "E-mail")

_BY_LANGUAGE: Final = {
    "ar": SmallWords("إغلاق", "البريد الإلكتروني"),
    "bg": SmallWords("Затваряне", "Имейл"),
    "cs": SmallWords("Zavřít", "E-mail"),
    "da": SmallWords("Luk", "E-mail"),
    "de": SmallWords("Schließen", "E-Mail"),
    "el": SmallWords("Κλείσιμο", "Email"),
    "es": SmallWords("Cerrar", "Correo electrónico"),
    "et": SmallWords("Sulge", "E-post"),
    "fi": SmallWords("Sulje", "Sähköposti"),
    "fr": SmallWords("Fermer", "E-mail"),
    "he": SmallWords("סגירה", "אימייל"),
    "hr": SmallWords("Zatvori", "E-pošta"),
    "hu": SmallWords("Bezárás", "E-mail"),
    "it": SmallWords("Chiudi", "E-mail"),
    "ja": SmallWords("閉じる", "メールアドレス"),
    "ko": SmallWords("닫기", "이메일"),
    "lt": SmallWords("Uždaryti", "El. paštas"),
    "lv": SmallWords("Aizvērt", "E-pasts"),
    "nb": SmallWords("Lukk", "E-post"),
    "nl": SmallWords("Sluiten", "E-mail"),
    "no": SmallWords("Lukk", "E-post"),
    "pl": SmallWords("Zamknij", "E-mail"),
    "pt": SmallWords("Fechar", "E-mail"),
    "ro": SmallWords("Închide", "E-mail"),
    "ru": SmallWords("Закрыть", "Эл. почта"),
    "sk": SmallWords("Zavrieť", "E-mail"),
    "sl": SmallWords("Zapri", "E-pošta"),
    "sv": SmallWords("Stäng", "E-post"),
    "tr": SmallWords("Kapat", "E-posta"),
    "uk": SmallWords("Закрити", "Ел. пошта"),
    "zh": SmallWords("关闭", "电子邮箱"),
    "zh-HK": SmallWords("關閉", "電子郵件"),
    "zh-TW": SmallWords("關閉", "電子郵件"),
}


def small_words(locale: str) -> SmallWords:
    """Those of ``locale``, else of its language, else the English ones."""
    return _BY_LANGUAGE.get(locale) or _BY_LANGUAGE.get(locale.partition("-")[0]) or ENGLISH
