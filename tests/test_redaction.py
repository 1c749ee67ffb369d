"""What is written may be shown to anybody."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socialr1_lite.redaction import HIDDEN, is_secret_name, redact, redact_tree


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("http://user:PASSW0RD@127.0.0.1:9/v1", "PASSW0RD"),
        ("https://TOKENONLY@host/v1", "TOKENONLY"),
        ("http://h/v1?key=URLT0KEN", "URLT0KEN"),
        ("http://h/v1?model=m&api_key=URLT0KEN&x=1", "URLT0KEN"),
        ("http://h/v1?X-Amz-Signature=abc123def", "abc123def"),
        ("python -m x --api-key SECRETKEY RUN", "SECRETKEY"),
        ("python -m x --hub-token=SECRETKEY RUN", "SECRETKEY"),
        ("['x', '--token', 'SECRETKEY']", "SECRETKEY"),
        ("python -m x RECIPE rewards.content.judges.llm.api_key=SECRETKEY run.name=n", "SECRETKEY"),
        ("['x', 'logging.hub_token=SECRETKEY']", "SECRETKEY"),
        ("Authorization: Bearer abcdefgh12345678", "abcdefgh12345678"),
        ("401 for hf_abcdefghijklmnop1234", "hf_abcdefghijklmnop1234"),
        ("Incorrect API key provided: sk-proj-abcdefghijklmnop", "sk-proj-abcdefghijklmnop"),
        ("token eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSMeK", "SflKxwRJSMeK"),
        ("https://user:P@SSWORD@host/v1", "SSWORD"),
        ('--extra-body {"api_key": "SECRETKEY", "top_k": 3}', "SECRETKEY"),
        ("rewards.content.judges=[{name: llm, settings: {extra: {api_key: SECRETKEY}}}]", "SECRETKEY"),
        (r'"{\"password\": \"SECRETKEY two\"}"', "two"),
        ("settings {'password': 'SECRETKEY'} do not fit", "SECRETKEY"),
        ("-H Cookie: session=SECRETKEY; a=b", "SECRETKEY"),
        ("Ocp-Apim-Subscription-Key: SECRETKEY", "SECRETKEY"),
        ("X-Amz-Security-Token: SECRETKEY", "SECRETKEY"),
        ("[(b'x-api-key', b'SECRETKEY')]", "SECRETKEY"),
        ("{'Authorization': b'SECRETKEY'}", "SECRETKEY"),
        ("no connection to anna:SECRETKEY@host:8000/v1", "SECRETKEY"),
        ("//anna:SECRETKEY@host/v1", "SECRETKEY"),
        ("http://anna:SECRET/KEY@host/v1", "KEY"),
        ("http://h/v1?code=SECRETKEY", "SECRETKEY"),
        ("http://h/v1?api%5Fkey=SECRETKEY", "SECRETKEY"),
        ("to=http%3A//h/v1%3Fkey%3DSECRETKEY", "SECRETKEY"),
        ("http://h/v1#access_token=SECRETKEY", "SECRETKEY"),
        ("Settings(model='m', api_key='SECRETKEY')", "SECRETKEY"),
        ("password=SECRETKEY", "SECRETKEY"),
        ("--api-key='SECRET KEY'", "KEY"),
        ("judges:\n  - api_key: SECRETKEY\n    model: m", "SECRETKEY"),
        ("-----BEGIN RSA PRIVATE KEY-----\nSECRETKEY\n-----END RSA PRIVATE KEY-----", "SECRETKEY"),
        ("401 for github_pat_abcdefghijklmnop12345", "abcdefghijklmnop12345"),
        ("https://hooks.slack.com/services/T0123/B0456/SECRETKEY", "SECRETKEY"),
        ("https://discord.com/api/webhooks/123456/SECRETKEY-x", "SECRETKEY"),
        ("403 for pypi-AgEIcHlwaSECRETKEYabcdef", "SECRETKEY"),
        ("401 for npm_abcdefghijklmnopqrstSECRETKEY", "SECRETKEY"),
        ("xapp-1-A012-3456-SECRETKEY", "SECRETKEY"),
        ("ya29.a0AfH6SECRETKEY_abcdefghi", "SECRETKEY"),
        ("Cookie jar: sessionid=SECRETKEY", "SECRETKEY"),
        ("judge(session_id='SECRETKEY')", "SECRETKEY"),
        ('Authorization: Digest username="anna", realm="x", response="SECRETKEY"', "SECRETKEY"),
    ],
)
def test_a_secret_goes_and_what_it_stands_in_stays(text: str, secret: str) -> None:
    assert secret not in redact(text) and HIDDEN in redact(text)
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "Anna put the key in the box; the token is in the drawer. Her password was a secret.",
        "grpo.max_completion_length=256 --max-new-tokens 64 --key-env OPENAI_API_KEY",
        "http://127.0.0.1:8000/v1?model=m&tokens=5",
        "mail anna@example.org about it",
        "bearer of bad news",
        "a story: {name: Anna, key: the red one, place: 'a box'}",
        "Secret: she knows it.\nKey: the red one\nto anna:",
        "hub_token: null\npad_token: <pad>\nmax_tokens: 5",
        "Config(hub_token=None, pad_token='<pad>', max_tokens=5)",
        "http://127.0.0.1:8000/v1/model@main, mailto:anna@example.org",
        "options ['token', 'drawer'] at 10:30@noon?",
        "the same key=value as before, tokenizer.max_tokens=5, data.keyboard=qwerty",
        "Her note ends with email:anna@example.org, cc:ben@example.org and From:eve@example.org",
        "see https://slack.com/help and npm_config_cache, the pypi-server, session=3",
    ],
)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_values_of_telling_variables_go_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SERVICE_TOKEN", "correct-horse-battery")
    monkeypatch.setenv("DEBUG_TOKEN", "1")
    assert redact("sent correct-horse-battery to port 1") == f"sent {HIDDEN} to port 1"


def test_the_password_of_a_proxy_goes_without_its_address_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://anna:correct-horse@proxy:3128")
    assert redact("407 for anna, correct-horse") == f"407 for anna, {HIDDEN}"


def test_a_proxy_without_a_scheme_has_a_password_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "anna:correct-horse@proxy:3128")
    assert redact("407 for anna, correct-horse") == f"407 for anna, {HIDDEN}"


def test_an_address_may_be_a_name_in_a_report() -> None:
    assert redact_tree({"http://anna:PASSW0RD@host/v1": 1}) == {f"http://{HIDDEN}@host/v1": 1}


def test_a_variable_that_names_a_file_of_secrets_holds_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MY_CREDENTIALS", str(tmp_path))
    assert redact(f"{tmp_path}/models/mine") == f"{tmp_path}/models/mine"


def test_two_names_that_become_alike_both_stay() -> None:
    given = {
        "http://a:SECRETONE@h": 1,
        "http://a:SECRETTWO@h": 2,
        f"http://{HIDDEN}@h (3)": 0,
        "http://a:SECRETSIX@h": 3,
    }
    assert redact_tree(given) == {
        f"http://{HIDDEN}@h": 1,
        f"http://{HIDDEN}@h (2)": 2,
        f"http://{HIDDEN}@h (3)": 0,
        f"http://{HIDDEN}@h (4)": 3,
    }


def test_all_that_stands_below_a_secret_s_name_goes() -> None:
    given = {"extra": {"headers": {"X-One": "abc", "X-Two": ["def"]}, "key": "ghi", "top_k": 3, "effort": "low"}}
    hidden = {"extra": {"headers": {"X-One": HIDDEN, "X-Two": [HIDDEN]}, "key": HIDDEN, "top_k": 3, "effort": "low"}}
    assert redact_tree(given) == hidden


def test_the_folder_that_we_are_in_is_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PWD", "/home/anna/project")
    assert redact("/home/anna/project/models/mine") == "/home/anna/project/models/mine"
    assert redact_tree({"pwd": "/home/anna/project"}) == {"pwd": HIDDEN}


@pytest.mark.parametrize(
    "name",
    [
        "api_key",
        "apiKey",
        "X-Api-Key",
        "HF_TOKEN",
        "password",
        "Authorization",
        "client_secret",
        "API_KEY_PROD",
        "SECRET_KEY_BASE",
        "token2",
        "Set-Cookie",
    ],
)
def test_names_that_tell_of_a_secret(name: str) -> None:
    assert is_secret_name(name)
    assert redact_tree({"extra": {name: "abc"}}) == {"extra": {name: HIDDEN}}


@pytest.mark.parametrize(
    "name", ["max_tokens", "tokens", "key_env", "eos_token", "keyboard", "monkey", "author", "max_new_tokens"]
)
def test_names_that_do_not(name: str) -> None:
    assert not is_secret_name(name)
    assert redact_tree({name: "abc"}) == {name: "abc"}


def test_a_tree_keeps_its_form() -> None:
    tree = {"command": ["train.py", "--token", "abc", "x=http://u:p@h/"], "n": 3, "none": None, "pair": ("a", 1.5)}
    assert redact_tree(tree) == {
        "command": ["train.py", "--token", HIDDEN, f"x=http://{HIDDEN}@h/"],
        "n": 3,
        "none": None,
        "pair": ("a", 1.5),
    }


@given(st.text(max_size=300))
def test_any_text_is_redacted_without_an_error_and_once_is_enough(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize("piece", ["a:", "http://", "://a:", "a:b@", "k=,", "'a-b', ", "- ", "a_b-", "%3F", "x:\n "])
def test_a_text_without_end_costs_no_square_of_its_length(piece: str) -> None:
    """A square of this length would be hours."""
    assert redact(piece * 100_000).count(HIDDEN) <= 100_000
