"""Which names are believed: what is signed, in which spelling, with which secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insights.identity.proof import ANY_CLAIM, NAMES, Mode, Proof, advice, believed, sign, verdicts

SECRET, FORMER = b"wl_i_now", b"wl_i_before"
REQUIRED = Proof(Mode.REQUIRED, (SECRET, FORMER))
ADA = {"user_id": "42", "email": "ada@shop.example", "phone": "+49171123456"}
SIGNED = {kind: sign(SECRET, kind, name) for kind, name in ADA.items()}


def test_a_signature_is_what_every_language_calls_hmac_sha256_in_hexadecimal() -> None:
    # echo -n user_id:42 | openssl dgst -sha256 -hmac wl_i_now
    assert sign(SECRET, "user_id", "42") == "ac41e7b6b6475e5038b768c6d6fd19dee22b8d7534309e641577ca58672e92ee"


def test_each_name_has_its_own_signature() -> None:
    thought = verdicts(ADA, {"user_id": SIGNED["user_id"], "email": SIGNED["phone"]}, REQUIRED)
    assert thought == {"user_id": "signed", "email": "wrong", "phone": "unsigned"}
    assert believed(ADA | {"traits": {"plan": "x"}}, thought, REQUIRED) == {"user_id": "42", "traits": {"plan": "x"}}
    assert advice(thought) == (
        "email: was not believed, for signatures.email is not that of this email and the identity secret; "
        "phone: was not believed, for it is not signed; send signatures.phone"
    )


def test_a_user_id_that_looks_like_an_address_proves_no_address() -> None:
    signature = sign(SECRET, "user_id", "ada@shop.example")
    assert verdicts({"email": "ada@shop.example"}, {"email": signature}, REQUIRED) == {"email": "wrong"}


@pytest.mark.parametrize(
    "said",
    [
        {"user_id": " 42 ", "email": "Ada@Shop.Example ", "phone": "+49 (0) 171 / 123456"},
        {"user_id": "42", "email": "ADA@SHOP.EXAMPLE", "phone": "0049171123456"},
    ],
)
def test_however_a_name_is_written_its_one_spelling_is_signed(said: dict[str, str]) -> None:
    assert set(verdicts(said, SIGNED, REQUIRED).values()) == {"signed"}
    assert set(verdicts(said, {kind: f" {one.upper()}" for kind, one in SIGNED.items()}, REQUIRED).values()) == {
        "signed"
    }


def test_ids_are_compared_letter_by_letter() -> None:
    said = {"user_id": "Ada"}
    assert verdicts(said, {"user_id": sign(SECRET, "user_id", "ada")}, REQUIRED) == {"user_id": "wrong"}


def test_the_secret_before_is_good_as_long_as_it_is_there_and_no_other_is() -> None:
    given = {"user_id": sign(FORMER, "user_id", "42")}
    assert verdicts({"user_id": "42"}, given, REQUIRED) == {"user_id": "signed"}
    assert verdicts({"user_id": "42"}, given, Proof(Mode.REQUIRED, (SECRET,))) == {"user_id": "wrong"}
    assert verdicts({"user_id": "42"}, SIGNED, Proof(Mode.REQUIRED)) == {"user_id": "wrong"}


def test_nobody_is_asked_who_they_are() -> None:
    guest = {"user_id": "guest", "email": "none", "phone": "0"}
    assert verdicts(guest, {}, REQUIRED) == {}
    assert believed(guest, {}, REQUIRED) == {}
    assert advice({}) is None


def test_the_name_before_an_alias_goes_with_the_name_after_it() -> None:
    said = {"user_id": "42", "previous_id": "7"}
    assert believed(said, {"user_id": "unsigned"}, REQUIRED) == {}
    assert believed(said, {"user_id": "signed"}, REQUIRED) == said


def test_who_looks_on_believes_everything_and_who_does_not_ask_thinks_nothing() -> None:
    watching = Proof(Mode.OBSERVE, (SECRET,))
    thought = verdicts(ADA, {}, watching)
    assert thought == dict.fromkeys(NAMES, "unsigned")
    assert believed(ADA, thought, watching) == ADA
    assert verdicts(ADA, {}, ANY_CLAIM) == {}


@given(st.text(), st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner)))
def test_no_text_signs_a_name_by_chance(name: str, signatures: object) -> None:
    thought = verdicts({"user_id": name, "email": name, "phone": name}, signatures, REQUIRED)
    assert "signed" not in thought.values()
    odd = verdicts({"user_id": "42"}, {"user_id": signatures}, REQUIRED)
    assert odd in ({"user_id": "unsigned"}, {"user_id": "wrong"})
