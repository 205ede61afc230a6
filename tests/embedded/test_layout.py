from pathlib import Path

import psycopg
import pytest

from aigc_portal.embedded.layout import addresses, celery_url, layout_of, with_database


def test_addresses_of_a_short_directory_lie_beside_the_data():
    found = addresses("/srv/aigc")
    assert found.database_url == "postgresql://aigc@/aigc?host=/srv/aigc/run"
    assert found.redis_url == "unix:///srv/aigc/run/valkey.sock?db=0"


def test_a_long_directory_gets_sockets_in_a_short_one_of_its_own():
    first, second = layout_of("/srv/" + "x" * 100), layout_of("/srv/" + "y" * 100)
    assert first.run.parent == Path("/tmp")
    assert len(str(first.run)) < 30
    assert first.run != second.run


def test_unusual_letters_survive_the_address():
    host = psycopg.conninfo.conninfo_to_dict(addresses("/srv/Müller & Söhne?").database_url)["host"]
    assert host == "/srv/Müller & Söhne?/run"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("unix:///srv/valkey.sock?db=0", "redis+socket:///srv/valkey.sock?virtual_host=0"),
        ("unix:///srv/valkey.sock?db=3", "redis+socket:///srv/valkey.sock?virtual_host=3"),
        ("unix:///srv/valkey.sock", "redis+socket:///srv/valkey.sock?virtual_host=0"),
        ("redis://:secret@cache.example.net:6379/1", "redis://:secret@cache.example.net:6379/1"),
        ("rediss://cache.example.net/0", "rediss://cache.example.net/0"),
    ],
)
def test_celery_url(url, expected):
    assert celery_url(url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("unix:///srv/valkey.sock?db=0", "unix:///srv/valkey.sock?db=5"),
        ("unix:///srv/valkey.sock", "unix:///srv/valkey.sock?db=5"),
        ("redis://:secret@cache.example.net:6379/1", "redis://:secret@cache.example.net:6379/5"),
    ],
)
def test_with_database(url, expected):
    assert with_database(url, 5) == expected
