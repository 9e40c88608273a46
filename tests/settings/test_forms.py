"""Secrets that a server has read in other letters than they were written in, or has packed."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode

import pytest

from consumer.settings.forms import forms
from consumer.settings.masking import Masker

PASSWORD = "pässwörd-1ß"


@pytest.mark.parametrize(
    "said",
    [
        PASSWORD.encode().decode("latin-1"),
        PASSWORD.encode().decode("cp1252"),
        PASSWORD.encode().decode("ascii", "replace"),
        "p??ssw??rd-1??",
        "p?ssw?rd-1?",
        r"p\xc3\xa4ssw\xc3\xb6rd-1\xc3\x9f",
        r"p\303\244ssw\303\266rd-1\303\237",
        "p%E4ssw%F6rd-1%DF",
        "p&Atilde;&curren;ssw&Atilde;&para;rd-1&Atilde;&#x9f;",
    ],
)
def test_a_password_that_was_read_in_other_letters_is_found(said: str) -> None:
    """UTF-8 read as one byte a letter or as ASCII, and what escapes bytes and not letters."""
    assert "it is ***!" == Masker([PASSWORD]).text(f"it is {said}!")


def test_a_page_in_one_byte_a_letter_is_found() -> None:
    """It is bytes that are no UTF-8."""
    assert b"it is ***!" == Masker([PASSWORD]).beginning(f"it is {PASSWORD}!".encode("latin-1"), 512)


def test_text_stays_text_where_such_a_form_begins_inside_a_letter() -> None:
    r"""`\xa9` is the second byte of `é` in UTF-8: what is left of the letter can't be one."""
    assert "\ufffd***" == Masker(["\xa9pass-word"]).text("\xe9pass-word")


@pytest.mark.parametrize("key", ["sk/a+b=c?1~2\xff", "12345678", "sk_live_0123456789abcdef"])
@pytest.mark.parametrize("before", ["", "a", "ab", "Authorization: Bearer "])
@pytest.mark.parametrize("behind", ["", "\r\n", "?>~"])
def test_a_key_inside_of_base64_is_found(key: str, before: str, behind: str) -> None:
    """Bytes in JSON as Go writes them: at any place, but for the letters that are of its neighbours too."""
    raw = (before + key + behind).encode()
    for packed in (b64encode(raw).decode(), urlsafe_b64encode(raw).decode()):
        masked = Masker([key]).text(f'{{"head":"{packed}"}}')
        assert "***" in masked
        assert len(masked) <= len(f'{{"head":"{b64encode(f"{before}{behind}".encode()).decode()}***"}}') + 4


def test_a_secret_of_letters_alone_has_few_forms() -> None:
    """Each is looked for in each text."""
    assert [b"secret1"] == forms("secret1")
    assert 4 == len(forms("secret-1"))
    assert "? ?? ??????" == Masker(["пароль"]).text("? ?? ??????"), "nothing of it is left in question marks"
    assert "***" == Masker(["пароль"]).text("пароль".encode().decode("latin-1"))
