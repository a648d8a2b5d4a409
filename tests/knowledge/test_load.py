"""Looking names up, and files that are not ours."""

import os
from pathlib import Path

import pytest

from mainstay.knowledge import Knowledge, KnowledgeError, load_knowledge
from mainstay.model.effect import EffectKind
from mainstay.model.library import Callable

MINE = """\
library = "mine"
modules = ["mine"]
blocking = true

[aliases]
"mine.inner" = "mine"

[[type]]
name = "mine.Client"

[[type]]
name = "mine.Special"
bases = ["mine.Client"]

[[call]]
names = ["mine.Client.fetch"]
effects = ["call-out"]
timeout = { at = [1, "timeout"] }

[[call]]
names = ["mine.Client.*"]
effects = ["send"]

[[call]]
names = ["mine.later"]
effects = ["sleep"]
coroutine = true
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAINSTAY_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def known(tmp_path: Path, text: str = MINE) -> Knowledge:
    folder = tmp_path / "extra"
    folder.mkdir(exist_ok=True)
    (folder / "mine.toml").write_text(text)
    return load_knowledge(folder)


def found(knowledge: Knowledge, name: str) -> Callable:
    entry = knowledge.callable(name)
    assert entry is not None, name
    return entry


def test_alias_is_resolved_by_its_longest_prefix() -> None:
    knowledge = load_knowledge()
    assert knowledge.canonical("requests.sessions.Session.get") == "requests.Session.get"
    assert knowledge.canonical("httpx._client.AsyncClient") == "httpx.AsyncClient"
    assert knowledge.canonical("builtins.open") == "open"
    assert knowledge.canonical("unknown.thing") == "unknown.thing"
    assert knowledge.callable("requests.sessions.Session.get") is knowledge.callable("requests.Session.get")


def test_method_is_inherited_before_the_wildcard(tmp_path: Path) -> None:
    knowledge = known(tmp_path)
    assert found(knowledge, "mine.inner.Special.fetch").effects == (EffectKind.CALL_OUT,)
    assert found(knowledge, "mine.Special.anything").effects == (EffectKind.SEND,)
    assert found(knowledge, "mine.Special.some.thing").effects == (EffectKind.SEND,)
    assert knowledge.callable("mine.Special.__init__") is None
    assert knowledge.callable("mine.unknown") is None
    assert knowledge.ancestry("mine.Special") == ("mine.Special", "mine.Client")


def test_blocking_falls_back_to_the_file_and_never_for_a_coroutine(tmp_path: Path) -> None:
    knowledge = known(tmp_path)
    assert found(knowledge, "mine.Client.fetch").blocking is True
    assert found(knowledge, "mine.later").blocking is False


def test_exception_bases_reach_the_builtins() -> None:
    knowledge = load_knowledge()
    bases = knowledge.exception_bases("requests.exceptions.ConnectTimeout")
    assert bases[:2] == ("requests.ConnectionError", "requests.Timeout")
    assert {"OSError", "Exception", "BaseException"} <= set(bases)
    assert knowledge.exception_bases("builtins.KeyError") == ("LookupError", "Exception", "BaseException")
    assert knowledge.canonical("asyncio.TimeoutError") == "TimeoutError"
    assert knowledge.canonical("IOError") == "OSError"
    assert knowledge.exception_bases("no.such.Error") == ()


def test_library_of_a_module_is_the_longest_that_is_known() -> None:
    knowledge = load_knowledge()
    boto3 = knowledge.is_library("botocore")
    assert boto3 is not None
    assert boto3.library == "boto3"
    storage = knowledge.is_library("google.cloud.storage")
    assert storage is not None
    assert storage.service
    assert knowledge.is_library("google.cloud.unheard_of") is None


def test_extra_file_overrides_name_by_name(tmp_path: Path) -> None:
    text = """
library = "ours"
modules = ["ours"]

[[call]]
names = ["requests.get"]
effects = ["call-out"]
timeout = { at = "timeout", default = 3 }
"""
    knowledge = known(tmp_path, text)
    get, post = found(knowledge, "requests.get").timeout, found(knowledge, "requests.post").timeout
    assert get is not None
    assert get.default == 3
    assert post is not None
    assert post.default is None


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('at = [1, "timeout"]', 'where = [1, "timeout"]', r"mine.toml:18: call\[0\].timeout: .*where"),
        ('["send"]', '["sing"]', r"mine.toml:22: call\[1\].effects\[0\]: .*sing"),
        ("blocking = true", 'blocking = "yes"', r"mine.toml:3: blocking: "),
        ('library = "mine"', "", r"mine.toml:1: top level: .*library"),
        ("[aliases]", "[aliases", r"mine.toml: is no TOML: .*line 5"),
    ],
)
def test_error_names_file_line_and_key(tmp_path: Path, before: str, after: str, message: str) -> None:
    with pytest.raises(KnowledgeError, match=message):
        known(tmp_path, MINE.replace(before, after, 1))


def test_extra_folder_takes_regular_files_of_modest_size_only(tmp_path: Path) -> None:
    folder = tmp_path / "extra"
    folder.mkdir()
    (folder / "notes.md").write_text("left alone")
    load_knowledge(folder)
    (folder / "big.toml").write_text("#" * (300 * 1024))
    with pytest.raises(KnowledgeError, match="larger than 256 KiB"):
        load_knowledge(folder)
    (folder / "big.toml").unlink()
    (tmp_path / "outside.toml").write_text(MINE)
    (folder / "link.toml").symlink_to(tmp_path / "outside.toml")
    with pytest.raises(KnowledgeError, match=r"link\.toml: cannot be read"):
        load_knowledge(folder)
    (folder / "link.toml").unlink()
    os.mkfifo(folder / "pipe.toml")
    with pytest.raises(KnowledgeError, match="is no regular file"):
        load_knowledge(folder)
    with pytest.raises(KnowledgeError, match="cannot be read"):
        load_knowledge(tmp_path / "absent")


def test_cache_is_written_once_and_a_broken_one_is_replaced(tmp_path: Path) -> None:
    load_knowledge(cached=False)
    assert not (tmp_path / "cache").exists()
    load_knowledge()
    (cache,) = (tmp_path / "cache" / "mainstay").glob("knowledge-*.msgpack")
    whole = cache.read_bytes()
    cache.write_bytes(b"broken")
    assert load_knowledge().callable("requests.get") is not None
    assert cache.read_bytes() == whole


def test_cache_folder_that_cannot_be_made_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert load_knowledge().callable("requests.get") is not None


def test_cache_is_never_beside_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAINSTAY_CACHE_DIR", "cache")
    assert load_knowledge().callable("requests.get") is not None
    assert not (tmp_path / "cache").exists()
