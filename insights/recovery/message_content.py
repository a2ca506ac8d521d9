"""What a message says: subject, HTML and plain text in each language, written in Liquid. Pure."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

MOST_HTML: Final = 200_000
MOST_TEXT: Final = 50_000

Locale = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=20)]
Format = Literal["sheet", "html", "mjml"]


class Words(BaseModel):
    """A message in one language. Where ``text`` is left out, it is made of the HTML."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subject: str = Field("", max_length=500, description="One line. The title of a push message.")
    preview: str = Field("", max_length=500, description="What a mail program shows beside the subject.")
    html: str = Field("", max_length=MOST_HTML, description="As `format` says: what stands in our sheet, HTML, MJML.")
    text: str = Field("", max_length=MOST_TEXT, description="Plain text.")


class MessageContent(BaseModel):
    """A message. ``format`` sheet: the HTML is what stands in the sheet that the messages that come along have too.

    Somebody who reads de-AT gets de-AT, else de, else the default language.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Format = "sheet"
    default_locale: Locale = "en"
    locales: dict[Locale, Words] = Field(min_length=1, max_length=50)
    track_links: bool = Field(True, description="Links in the HTML lead through this server, which counts clicks.")
    open_pixel: bool = Field(False, description="An invisible image tells when the mail is opened.")

    @model_validator(mode="after")
    def _has_its_default(self) -> MessageContent:
        if self.default_locale.lower() not in {locale.lower() for locale in self.locales}:
            raise ValueError(f"locales has nothing in {self.default_locale}, the default language")
        return self

    def locale_for(self, wanted: str | None) -> str:
        """The language that somebody who reads ``wanted`` gets."""
        known = {locale.lower(): locale for locale in self.locales}
        tag = (wanted or "").lower().replace("_", "-")
        while tag:
            if tag in known:
                return known[tag]
            tag = tag.rpartition("-")[0]
        return known[self.default_locale.lower()]
