from hypothesis import given
from hypothesis import strategies as st

from gateway.cookies import Cookies, read_cookies
from gateway.tokens import IDLE_LIMIT_SECONDS, LIFE_LIMIT_SECONDS, Keyring, Token, new_token, renewed

KEYS = Keyring(["new:" + "n" * 32, "old:" + "o" * 32])
TOKEN = new_token(slug="bcdfghjkmn", user_id=7, session="0123456789abcdef", now=1_000)


def read(text: str, *, slug: str = TOKEN.slug, now: int = 1_000) -> Token | None:
    return KEYS.read(text, slug=slug, now=now)


def test_a_token_says_who_where_and_until_when():
    text = KEYS.sign(TOKEN)
    assert text.split(".")[:2] == ["v1", "new"]
    assert read(text) == TOKEN == Token("bcdfghjkmn", 7, "0123456789abcdef", 1_000, 1_000 + 7_200)


def test_a_token_ends():
    text = KEYS.sign(TOKEN)
    assert read(text, now=TOKEN.expires_at - 1) == TOKEN
    assert read(text, now=TOKEN.expires_at) is None


def test_a_token_opens_one_instance():
    assert read(KEYS.sign(TOKEN), slug="bcdfghjkmp") is None


def test_keys_rotate():
    assert read(Keyring(["old:" + "o" * 32]).sign(TOKEN)) == TOKEN
    assert read(Keyring(["gone:" + "g" * 32]).sign(TOKEN)) is None
    assert read(Keyring(["new:" + "x" * 32]).sign(TOKEN)) is None


def test_the_longest_token_fits_and_longer_texts_are_not_even_looked_at():
    longest = Token("b" * 20, 2**63, "f" * 16, 10**12, 10**12)
    keys = Keyring(["k" * 16 + ":" + "n" * 32])
    assert keys.read(keys.sign(longest), slug="b" * 20, now=0) == longest
    assert keys.read(keys.sign(longest).ljust(257, "x"), slug="b" * 20, now=0) is None
    assert keys._genuine.cache_info().currsize == 1


@given(st.text(max_size=80))
def test_no_text_passes_for_a_token_or_breaks_the_reader(text):
    assert read(text) is None


@given(st.integers(0, 200), st.characters(codec="ascii"))
def test_no_changed_character_goes_unnoticed(position, character):
    text = KEYS.sign(TOKEN)
    position %= len(text)
    changed = text[:position] + character + text[position + 1 :]
    assert changed == text or read(changed) is None


def test_a_token_is_renewed_in_its_second_half_and_never_beyond_its_life():
    half = 1_000 + IDLE_LIMIT_SECONDS // 2
    assert renewed(TOKEN, now=half - 1) is None
    longer = renewed(TOKEN, now=half)
    assert longer == Token("bcdfghjkmn", 7, "0123456789abcdef", 1_000, half + IDLE_LIMIT_SECONDS)
    end = 1_000 + LIFE_LIMIT_SECONDS
    last = Token("bcdfghjkmn", 7, "0123456789abcdef", 1_000, end)
    assert renewed(last, now=end - 1) is None
    assert renewed(Token("bcdfghjkmn", 7, "0123456789abcdef", 1_000, end - 1), now=end - 2) == last


def test_our_cookies_are_told_from_the_engines():
    found = read_cookies(["a=1; __Host-aigc_s=pass;b=2; aigc_s=x; __Secure-AIGC_other=y", " __Host-aigc_p=nonce ; c=3=4"])
    assert found == Cookies(token="pass", nonce="nonce", engine_part="a=1; b=2; c=3=4", doubled=False)


def test_a_name_of_ours_sent_twice_is_noticed():
    assert read_cookies(["__Host-aigc_s=a; __Host-aigc_s=b"]).doubled
    assert read_cookies(["__Host-aigc_s=a", "__Host-aigc_s=a"]).doubled
    assert not read_cookies(["a=1; a=2"]).doubled
    # A sister host can set these, and must not be able to shut anybody out by it.
    assert read_cookies(["aigc_s=a; aigc_s=b; __Secure-aigc_s=a; __Secure-aigc_s=b; own=1"]) == Cookies(
        "", "", "own=1", doubled=False
    )
    assert read_cookies([]) == Cookies("", "", "", doubled=False)
