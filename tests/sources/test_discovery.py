import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mainstay.sources.discovery import Discovery, Selection, common_folder, discover, printable

Tree = Callable[[Mapping[str, str | bytes]], Path]


def names(found: Discovery) -> list[str]:
    return [file.path for file in found.files]


def gaps(found: Discovery) -> dict[str, str]:
    return {gap.location.path: gap.why for gap in found.gaps}


def test_python_files_come_sorted_and_named_from_the_root(tree: Tree) -> None:
    root = tree({"b.py": "", "a/z.py": "", "a/b/c.py": "", "notes.txt": "", "a.pyi": ""})
    assert names(discover([root])) == ["a/b/c.py", "a/z.py", "b.py"]


def test_a_single_file_is_read_whatever_it_is_called(tree: Tree) -> None:
    root = tree({"manage": "print()", "other.py": ""})
    found = discover([root / "manage"])
    assert names(found) == ["manage"]
    assert found.root == root


def test_several_paths_are_named_from_the_folder_they_have_in_common(tree: Tree) -> None:
    root = tree({"a/one.py": "", "b/two.py": "", "c/three.py": ""})
    assert names(discover([root / "b", root / "a" / "one.py"])) == ["a/one.py", "b/two.py"]


def test_a_path_given_twice_is_read_once(tree: Tree) -> None:
    root = tree({"a/one.py": ""})
    assert names(discover([root, root / "a", root / "a" / "one.py"])) == ["a/one.py"]


@pytest.mark.parametrize(
    "folder",
    [".git", ".tox", ".venv", "node_modules", "site-packages", "third_party", "_vendor", "x.egg-info"],
)
def test_folders_that_are_not_the_projects_are_left_out(tree: Tree, folder: str) -> None:
    root = tree({f"lib/{folder}/a.py": "", f"lib/{folder}/__init__.py": "", "app.py": ""})
    assert names(discover([root])) == ["app.py"]


@pytest.mark.parametrize("folder", ["build", "dist", "vendor", "venv", "env"])
def test_a_folder_with_a_doubtful_name_counts_when_it_is_a_package(tree: Tree, folder: str) -> None:
    root = tree({f"{folder}/a.py": "", f"shop/{folder}/__init__.py": "", f"shop/{folder}/models.py": ""})
    assert names(discover([root])) == [f"shop/{folder}/__init__.py", f"shop/{folder}/models.py"]


def test_a_folder_with_a_doubtful_name_counts_deep_in_the_source(tree: Tree) -> None:
    root = tree(
        {
            "build/lib/a.py": "",
            "backend/pyproject.toml": "",
            "backend/dist/a.py": "",
            "backend/shop/features/build/api.py": "",
        }
    )
    assert names(discover([root])) == ["backend/shop/features/build/api.py"]


def test_a_virtual_environment_is_known_by_its_marker(tree: Tree) -> None:
    root = tree({"py311/pyvenv.cfg": "", "py311/lib/a.py": "", "app.py": ""})
    assert names(discover([root])) == ["app.py"]


def test_the_reviewed_folder_itself_may_have_any_name(tree: Tree) -> None:
    root = tree({"node_modules/a.py": ""})
    assert names(discover([root / "node_modules"])) == ["a.py"]


def test_excluded_files_and_folders_are_left_out(tree: Tree) -> None:
    root = tree({"old/a.py": "", "old/b/c.py": "", "app.py": "", "gen_a.py": "", "lib/gen_b.py": ""})
    assert names(discover([root], Selection(exclude=("old", "*gen_*.py")))) == ["app.py"]


def test_included_files_are_read_although_their_folder_is_left_out(tree: Tree) -> None:
    root = tree(
        {"node_modules/ours/a.py": "", "node_modules/theirs/b.py": "", "old/a.py": "", "old/b.py": ""}
    )
    selection = Selection(exclude=("old",), include=("node_modules/ours", "old/a.py"))
    assert names(discover([root], selection)) == ["node_modules/ours/a.py", "old/a.py"]


def test_links_inside_the_tree_are_not_followed(tree: Tree) -> None:
    root = tree({"a/app.py": ""})
    (root / "a" / "loop").symlink_to(root)
    (root / "a" / "self").symlink_to(root / "a" / "self")
    (root / "again.py").symlink_to(root / "a" / "app.py")
    found = discover([root])
    assert names(found) == ["a/app.py"]
    assert gaps(found) == {}


def test_links_that_leave_the_tree_are_named_when_they_are_python(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text("SECRET = 1")
    root = tree({"app.py": ""})
    (root / "leak.py").symlink_to(tmp_path / "outside.py")
    (root / "folder").symlink_to(tmp_path)
    (root / "gone.py").symlink_to(root / "nowhere.py")
    (root / ".#app.py").symlink_to("somebody@somewhere")  # an editor's lock
    found = discover([root])
    assert names(found) == ["app.py"]
    assert gaps(found) == {
        "gone.py": "it is a link that leads nowhere",
        "leak.py": "it is a link that leads out of the reviewed folder, so it was not followed",
    }


def test_a_root_given_as_a_link_is_followed(tree: Tree, tmp_path: Path) -> None:
    root = tree({"app.py": ""})
    (tmp_path / "link").symlink_to(root)
    assert names(discover([tmp_path / "link"])) == ["app.py"]


def test_pipes_and_sockets_are_named_and_never_opened(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree({"app.py": ""})
    os.mkfifo(root / "pipe.py")
    monkeypatch.chdir(root)  # the name of a socket has to be short
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind("plug.py")
        found = discover([root])
    assert names(found) == ["app.py"]
    assert gaps(found) == {
        "pipe.py": "it is a named pipe, not a file",
        "plug.py": "it is a socket, not a file",
    }


def test_a_folder_that_cannot_be_listed_is_named(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree({"app.py": "", "locked/a.py": ""})
    scandir = os.scandir

    def refusing(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = discover([root])
    assert names(found) == ["app.py"]
    assert gaps(found) == {"locked": "the folder could not be listed: Permission denied"}


def test_a_folder_called_like_a_file_is_a_folder(tree: Tree) -> None:
    assert names(discover([tree({"odd.py/inner.py": ""})])) == ["odd.py/inner.py"]


def test_names_are_fit_to_print(tree: Tree) -> None:
    root = tree({"app.py": ""})
    os.close(os.open(os.fsencode(root) + b"/caf\xe9.py", os.O_CREAT))
    os.close(os.open(os.fsencode(root) + b"/esc\x1b[31m.py", os.O_CREAT))
    found = discover([root])
    assert names(found) == ["app.py", "caf\\xe9.py", "esc\\x1b[31m.py"]
    assert all(os.path.exists(file.real) for file in found.files)  # noqa: PTH110 - a name that is not UTF-8


def test_what_prints_stays_as_it_is() -> None:
    assert printable("über/ページ one.py") == "über/ページ one.py"


def test_the_common_folder_of_a_file_is_the_one_it_is_in(tree: Tree) -> None:
    root = tree({"a/one.py": ""})
    assert common_folder([root / "a" / "one.py"]) == root / "a"
