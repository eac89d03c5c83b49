import hashlib

import pytest

from made import CALL, call
from mitmcache.cache.scope import SECRET_QUERY, Scope, caller, effective, label
from mitmcache.exchange import Call, Headers

SIGNED = (
    "AWS4-HMAC-SHA256 Credential={}/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature={}"
)


def bearing(*headers: tuple[str, str], query: str = "") -> Call:
    return call(headers=headers, query=query)


def own(made: Call) -> str:
    return label(Scope.CREDENTIAL, caller(made), "")


SECRET_ONE = bearing(("authorization", "Bearer one"))

SAME = [
    ("x-api-key", bearing(("x-api-key", "one"))),
    ("api-key", bearing(("api-key", "one"))),
    ("x-goog-api-key", bearing(("x-goog-api-key", "one"))),
    ("ocp-apim-subscription-key", bearing(("ocp-apim-subscription-key", "one"))),
    ("apikey", bearing(("apikey", "one"))),
    ("cf-aig-authorization", bearing(("cf-aig-authorization", "Bearer one"))),
    ("helicone-auth", bearing(("helicone-auth", "Bearer one"))),
    ("x-bf-vk", bearing(("x-bf-vk", "one"))),
    ("x-litellm-api-key", bearing(("x-litellm-api-key", "Bearer one"))),
    ("x-portkey-api-key", bearing(("x-portkey-api-key", "one"))),
    ("x-portkey-virtual-key", bearing(("x-portkey-virtual-key", "one"))),
    ("authorization without a scheme", bearing(("authorization", "one"))),
    ("another letter case of the scheme", bearing(("authorization", "bearer  one "))),
    ("?key=", bearing(query="key=one")),
    ("?api_key= among others", bearing(query="a=1&api_key=one&b=2")),
    ("?Subscription-Key=", bearing(query="Subscription-Key=one")),
    ("in two places", bearing(("x-api-key", "one"), ("authorization", "Bearer one"))),
    ("beside cookies", bearing(("cookie", "a=1"), ("authorization", "Bearer one"))),
    ("beside an empty query key", bearing(("x-api-key", "one"), query="key=")),
    ("beside an empty bearer", bearing(("x-api-key", "one"), ("authorization", "Bearer "))),
    (
        "beside SDK headers",
        bearing(("user-agent", "x"), ("authorization", "Bearer one"), ("x-request-id", "1")),
    ),
]

OTHER = [
    ("another secret", bearing(("authorization", "Bearer two"))),
    ("another letter case of the secret", bearing(("authorization", "Bearer One"))),
    ("two secrets", bearing(("x-api-key", "one"), ("authorization", "Bearer two"))),
    ("the same two secrets moved", bearing(("api-key", "two"), ("x-goog-api-key", "one"))),
    ("a gateway's key beside", bearing(("authorization", "Bearer one"), ("x-litellm-api-key", "four"))),
    ("another scheme", bearing(("authorization", "Basic one"))),
    ("a cookie of the same text", bearing(("cookie", "one"))),
    ("another query key", bearing(query="key=three")),
    ("nobody", bearing()),
    ("an account beside", bearing(("authorization", "Bearer one"), ("chatgpt-account-id", "a-1"))),
    ("another account beside", bearing(("authorization", "Bearer one"), ("chatgpt-account-id", "a-2"))),
    ("a signature with a key id of the same text", bearing(("authorization", SIGNED.format("one", "s")))),
    ("bytes that are not UTF-8", bearing(("authorization", "Bearer one\udcff"))),
    ("other bytes that are not UTF-8", bearing(("authorization", "Bearer one\udcfe"))),
    ("percent-coded bytes that are not UTF-8", bearing(query="key=one%f8")),
    ("other percent-coded bytes that are not UTF-8", bearing(query="key=one%f9")),
]


@pytest.mark.parametrize("made", [pytest.param(made, id=name) for name, made in SAME])
def test_one_secret_is_one_caller_wherever_it_stands(made: Call) -> None:
    assert own(made) == own(SECRET_ONE)


@pytest.mark.parametrize("made", [pytest.param(made, id=name) for name, made in OTHER])
def test_another_credential_is_another_caller(made: Call) -> None:
    assert own(made) != own(SECRET_ONE)


def test_other_credentials_are_other_callers_among_themselves() -> None:
    named = dict(OTHER)
    assert own(named["two secrets"]) == own(named["the same two secrets moved"])
    assert len({own(made) for made in named.values()}) == len(named) - 1


ANONYMOUS: list[tuple[str, Headers, str]] = [
    ("no header", (), ""),
    ("empty headers", (("authorization", ""), ("x-api-key", "")), ""),
    ("a scheme without a token", (("authorization", "Bearer"),), ""),
    ("a scheme and a space", (("authorization", "bearer  "),), ""),
    ("an empty query key", (), "key="),
    ("an account alone", (("chatgpt-account-id", "a-1"),), ""),
    ("a query field that only looks like a key", (), "keys=1&monkey=2"),
]


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize(("headers", "query"), [pytest.param(*case[1:], id=case[0]) for case in ANONYMOUS])
def test_a_caller_without_credential_is_anonymous_and_joined_with_nobody_known(
    headers: Headers, query: str, scope: Scope
) -> None:
    who = caller(call(headers=headers, query=query))
    assert who.secrets == ()
    assert label(scope, who, "alice") == label(scope, caller(bearing()), "alice")
    assert label(scope, who, "alice") != label(scope, caller(SECRET_ONE), "alice")


@pytest.mark.parametrize(
    ("scope", "joins_secrets", "joins_users"),
    [(Scope.CREDENTIAL, False, True), (Scope.USER, True, False), (Scope.SHARED, True, True)],
)
def test_a_scope_joins_these(scope: Scope, joins_secrets: bool, joins_users: bool) -> None:
    one, two = caller(SECRET_ONE), caller(bearing(("x-api-key", "two")))
    assert (label(scope, one, "alice") == label(scope, two, "alice")) == joins_secrets
    assert (label(scope, one, "alice") == label(scope, one, "bob")) == joins_users


def digest(*facts: str) -> str:
    """What `credential` comes to: each fact's SHA-256 in hex, sorted, framed, and hashed again."""
    parts = sorted(hashlib.sha256(fact.encode()).hexdigest().encode() for fact in facts)
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).hexdigest()


ALICE = hashlib.sha256(b"alice").hexdigest()
LABELS = [
    ("a secret", SECRET_ONE, Scope.CREDENTIAL, f"credential {digest('secret one', 'chatgpt-account-id ')}"),
    ("nobody", bearing(), Scope.CREDENTIAL, "credential anonymous"),
    (
        "an account",
        bearing(("x-api-key", "one"), ("chatgpt-account-id", "a")),
        Scope.CREDENTIAL,
        f"credential {digest('secret one', 'chatgpt-account-id a')}",
    ),
    (
        "a signature",
        bearing(("authorization", SIGNED.format("AKIA1", "s"))),
        Scope.CREDENTIAL,
        f"credential {digest('sigv4 AKIA1', 'chatgpt-account-id ')}",
    ),
    (
        "cookies",
        bearing(("cookie", "s=1")),
        Scope.CREDENTIAL,
        f"credential {digest('cookie s=1', 'chatgpt-account-id ')}",
    ),
    ("a user", SECRET_ONE, Scope.USER, f"user known {ALICE}"),
    ("an anonymous user", bearing(), Scope.USER, f"user anonymous {ALICE}"),
    ("all", SECRET_ONE, Scope.SHARED, "shared known"),
    ("all who are anonymous", bearing(), Scope.SHARED, "shared anonymous"),
]


@pytest.mark.parametrize(
    ("made", "scope", "expected"), [pytest.param(*case[1:], id=case[0]) for case in LABELS]
)
def test_a_scope_has_this_label(made: Call, scope: Scope, expected: str) -> None:
    """Pinned: the label is in every key. A change here is a new KEY_VERSION."""
    assert label(scope, caller(made), "alice") == expected


@pytest.mark.parametrize("name", ["key", "api_key", "api-key", "access_token", "subscription-key"])
def test_a_query_field_is_a_secret_and_no_part_of_the_query(name: str) -> None:
    made = bearing(query=f"{name}=one")
    assert own(made) == own(SECRET_ONE) and name in SECRET_QUERY


@pytest.mark.parametrize("word", ["credential", "user", "shared"])
def test_a_scope_has_the_word_of_its_option(word: str) -> None:
    assert Scope(word).value == word


def test_no_label_of_one_scope_is_a_label_of_another() -> None:
    callers = (caller(bearing()), caller(SECRET_ONE))
    labels = {label(scope, who, user) for scope in Scope for who in callers for user in ("", "alice")}
    assert len(labels) == 2 + 4 + 2  # credentials; users, known or not; shared, known or not


@pytest.mark.parametrize(
    "made",
    [
        SECRET_ONE,
        bearing(query="key=one"),
        bearing(("cookie", "one")),
        bearing(("authorization", SIGNED.format("AKIAONE", "one"))),
    ],
)
def test_neither_caller_nor_label_holds_a_secret(made: Call) -> None:
    told = repr(caller(made)) + "".join(label(scope, caller(made), "alice") for scope in Scope)
    assert "one" not in told.lower() and "alice" not in told


def test_a_signature_names_its_key_and_shows_no_secret() -> None:
    first = caller(bearing(("authorization", SIGNED.format("AKIA1", "abc"))))
    again = caller(bearing(("authorization", SIGNED.format("AKIA1", "def"))))
    other = caller(bearing(("authorization", SIGNED.format("AKIA2", "abc"))))
    assert first.sigv4 and first == again and first.secrets and other.secrets != first.secrets


def test_only_a_signature_is_a_signature() -> None:
    assert not caller(SECRET_ONE).sigv4 and not caller(bearing()).sigv4


def test_who_knows_a_public_key_id_is_not_who_signs_with_it() -> None:
    signer = caller(bearing(("authorization", SIGNED.format("AKIA1", "abc"))))
    assert caller(bearing(("x-api-key", "sigv4 AKIA1"))).secrets != signer.secrets


def test_cookies_are_a_credential_where_there_is_no_other() -> None:
    assert own(bearing(("cookie", "s=1"))) != own(bearing(("cookie", "s=2")))
    assert caller(bearing(("cookie", "s=1"))).secrets


def test_an_account_counts_only_beside_a_credential() -> None:
    assert caller(bearing(("chatgpt-account-id", "a"))) == caller(call(headers=(), query=""))
    assert own(CALL) == own(SECRET_ONE)


@pytest.mark.parametrize(
    ("asked", "user", "expected"),
    [
        (Scope.USER, "alice", Scope.USER),
        (Scope.USER, "", Scope.CREDENTIAL),
        (Scope.SHARED, "", Scope.SHARED),
        (Scope.CREDENTIAL, "alice", Scope.CREDENTIAL),
    ],
)
def test_without_a_proxy_user_nobody_shares_by_user(asked: Scope, user: str, expected: Scope) -> None:
    assert effective(asked, user) is expected
