"""Faults of consumer/settings: what is secret."""

from __future__ import annotations

from typing import Final

from tests.edge_faults.fault import EdgeFault

FAULTS: Final = (
    EdgeFault(
        "the key is said back",
        "consumer/settings/known_secrets.py",
        "        yield key\n",
        "",
        "tests/customfit/engines/test_http_answers.py::test_the_key_is_blotted_out_of_a_body",
    ),
    EdgeFault(
        "a proxy's password is said back",
        "consumer/settings/known_secrets.py",
        "            yield from _of_proxy(",
        "            str(",
        "tests/real_broker/test_secrets.py::test_the_service_shows_no_secret",
    ),
    EdgeFault(
        "a header that some servers read as another is forwarded",
        "consumer/settings/header_names.py",
        '_NO_LETTER_OR_DIGIT.sub("-", name.lower())',
        "name.lower()",
        "tests/settings/test_header_names.py::test_what_matters_to_http_or_to_us_is_refused[Content_Length]",
    ),
)
