"""What is wrong with the form of a channel, in the words of whoever fills it in. Pure."""

from __future__ import annotations

from adapters.channels.errors import FormRefused
from insights.recovery.document_faults import nearest
from insights.vocabulary.validator_words import asked


def in_words(error: Exception) -> str:
    """The field and what to write there; the error's own sentence where it is not of a form."""
    if not isinstance(error, FormRefused):
        return str(error)
    says = error.fields.get(error.field, "").rstrip(".")
    meant = f" ({says})" if says else ""
    match error.error["type"]:
        case "extra_forbidden":
            said = f"there is no such field: {nearest(error.field, error.fields)}"
        case "string_pattern_mismatch":
            said = f"it is not written as it must be{meant}"
        case "value_error":
            said = asked(error.error)
        case _:
            said = f"{asked(error.error)}{meant}"
    return f"{error.part}: {error.field}: {said.rstrip('.')}."
