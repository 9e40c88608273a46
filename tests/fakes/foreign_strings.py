"""Texts as users, attackers and broken programs write them: every script, every control character, what tools obey."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator
from itertools import groupby
from typing import Final

_SAMPLES_A_BLOCK: Final = 3
_BLOCK: Final = 128
"""Characters: scripts begin at multiples of it."""


def _scripts() -> Iterator[str]:
    """Some assigned characters of every block of Unicode, combining marks on their own included."""
    codes = (code for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF)
    for _, block in groupby(codes, key=lambda code: code // _BLOCK):
        assigned = [chr(code) for code in block if unicodedata.category(chr(code)) not in ("Cn", "Co")]
        if assigned:
            yield "".join(assigned[:: max(len(assigned) // _SAMPLES_A_BLOCK, 1)])


CONTROLS: Final = [chr(code) for code in [*range(0x20), *range(0x7F, 0xA0)]]
MARKS: Final = [
    chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in ("Cf", "Zl", "Zp")
]
"""What can't be seen: it turns text around, joins it, ends a line or is a tag."""
NONCHARACTERS: Final = ["\ufdd0", "\ufdef", "\ufffe", "\uffff", "\U0001fffe", "\U0010ffff", "\ue000", "\U000f0000"]
SENTENCES: Final = [
    "\u0130stanbul \u0131I \u1e9e\xdf \ufb01 \u01c5",
    "\u2264 \u221e \xf7 \xb5 \u222b \u02dc",
    "雨の日 水曜日 한국어 中文",
    "שבת שָׁלוֹם",
    "صباح الخير ١٢٣",
    "สวัสดี नमस्ते வணக்கம் გამარჯობა καλημέρα доброе утро բարև",
    "👩\u200d👩\u200d👧\u200d👦 🏳️\u200d🌈 🇮🇳 👍🏽 1️⃣",
    "z\u0351\u036b\u0343\u036a\u0302a\u0337\u0319\u0332\u031d\u0356l\u034fg\u0321o\u034c!",
    "\u202eevil\u202c \u2066x\u2069 \u200bzero\u200b \ufeffmark",
    "\x1b[2J\x1b]0;title\x07\x9b31m red \x08\x08\x08",
    "line\r\nERROR forged line\n\x85\u2028\u2029next",
    'quote " backslash \\ \\u0041 \\" end',
    'level=error msg="forged" a=b {} [] , :',
    "null",
    "undefined",
    "NaN",
    "true",
    "1e400",
    "-0",
    "0x1F",
    "'; delete from t; --",
    "<b onclick='f()'>x</b><!-- &lt; &#x41; ]]>",
    "${jndi:ldap://x/a} {{7*7}} %s %n %(asctime)s {0.__class__} $(id) `id`",
    "../../a/b\x00.png C:\\con\\nul file:///",
    "__proto__",
    "$ne",
    " leading and trailing ",
    "\t",
    "e\u0301 and é, \u212b and Å",
    "\U0001d54f\U0001f600\U00020bb7",
    "%E2%82%AC %00 %zz &amp=1?x#y",
    "a" * 400,
    "é" * 250,
    "😀" * 120,
]
TEXTS: Final = [*_scripts(), *CONTROLS, *MARKS, *NONCHARACTERS, *SENTENCES]
