"""Following the release document: swap when all checks pass, else the current model stays."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING

import pytest

from serving.models.model_package import MODEL
from serving.models.release_document import RELEASE_KEY, ReleasedVersion
from serving.models.release_follower import RETRY_SECONDS, ReleaseFollower
from serving.schema.problems import NotReadyError, RefusedModelError, UnknownModelError
from serving.stores.artifacts.local import FolderArtifactStore
from serving.stores.errors import StoreError
from tests.serving.support import MODEL_NAME, package_files, publish, release, release_version

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from serving.models.traffic_split import ServedModel
    from serving.stores.artifacts.protocol import StoredObject

    Switches = Sequence[Callable[[], ServedModel]]


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def follower(store: FolderArtifactStore, time: Time) -> ReleaseFollower:
    return ReleaseFollower(store, MODEL_NAME, load_any=True, monotonic=time)


def answering(follower: ReleaseFollower) -> tuple[str, str | None]:
    served = follower.current()
    return served.model.version, served.alias


def test_before_a_release_the_error_names_the_fix(follower: ReleaseFollower) -> None:
    with pytest.raises(UnknownModelError, match="make run"):
        follower.follow("champion")
    follower.refresh()
    with pytest.raises(NotReadyError, match="run `make run`"):
        follower.current()


def test_a_new_champion_takes_over(store: FolderArtifactStore, follower: ReleaseFollower) -> None:
    # Given a server that answers with version 1
    release_version(store, "1")
    follower.refresh()
    assert answering(follower) == ("1", "champion")
    # When version 2 is released, Then it takes over at the next poll
    release_version(store, "2")
    assert answering(follower) == ("1", "champion")
    follower.refresh()
    assert answering(follower) == ("2", "champion")
    assert follower.current().revision == 2


def test_a_model_is_loaded_once(store: FolderArtifactStore, follower: ReleaseFollower) -> None:
    # Given a loaded model, When the release changes and is restored, Then it is the same object
    first = release_version(store, "1")
    follower.refresh()
    before = follower.current().model
    follower.refresh()
    release_version(store, "2")
    follower.refresh()
    release(store, first)
    follower.refresh()
    assert follower.current().model is before
    assert follower.current().revision == 3


def test_a_broken_artifact_is_refused_and_the_old_one_stays(
    store: FolderArtifactStore,
    follower: ReleaseFollower,
    time: Time,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given version 1 answers, and version 2 is released with a model cut short
    release_version(store, "1")
    follower.refresh()
    path = tmp_path / "store/models/ontime/2/model.onnx"
    released = ReleasedVersion("2", publish(store, "2", 0.4))
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    release(store, released)
    # When the server polls repeatedly
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            follower.refresh()
    # Then version 1 answers, the reason is reported, and logged once
    assert answering(follower) == ("1", "champion")
    assert follower.refusal is not None
    assert "2/model.onnx" in follower.refusal
    assert [r.getMessage() for r in caplog.records] == ["model_refused"]
    # And once the artifact is restored, version 2 takes over within the retry interval
    path.write_bytes(whole)
    follower.refresh()
    assert answering(follower) == ("1", "champion")
    time.now += RETRY_SECONDS
    follower.refresh()
    assert answering(follower) == ("2", "champion")
    assert follower.refusal is None


def test_a_broken_first_artifact_is_the_reason_for_no_answer(
    store: FolderArtifactStore, follower: ReleaseFollower
) -> None:
    files = {**package_files(), MODEL: b"broken"}
    release(store, ReleasedVersion("1", publish(store, "1", files=files)))
    follower.refresh()
    with pytest.raises(NotReadyError, match="Version 1 of model ontime was refused"):
        follower.current()


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff"])
def test_a_damaged_release_document_changes_nothing(
    store: FolderArtifactStore, follower: ReleaseFollower, body: bytes
) -> None:
    release_version(store, "1")
    follower.refresh()
    store.replace(RELEASE_KEY, body, store.get(RELEASE_KEY).etag)
    follower.refresh()
    assert answering(follower) == ("1", "champion")
    assert "release document" in (follower.refusal or "")


def test_a_lost_release_document_changes_nothing(
    store: FolderArtifactStore, follower: ReleaseFollower, tmp_path: Path
) -> None:
    release_version(store, "1")
    follower.refresh()
    (tmp_path / "store" / RELEASE_KEY).unlink()
    follower.refresh()
    assert answering(follower) == ("1", "champion")


def test_a_release_without_champion_leaves_the_current_model(
    store: FolderArtifactStore, follower: ReleaseFollower
) -> None:
    release_version(store, "1")
    follower.refresh()
    release(store, None)
    follower.refresh()
    assert answering(follower) == ("1", "champion")
    assert "No version is released as champion" in (follower.refusal or "")


def test_a_pinned_version_stays_until_the_champion_is_followed(
    store: FolderArtifactStore, follower: ReleaseFollower
) -> None:
    # Given versions 1 and 2, of which 2 is champion
    publish(store, "1")
    release_version(store, "2", 0.4)
    follower.refresh()
    # When the server is switched to version 1
    follower.pin("1")
    # Then it stays with it over releases
    release_version(store, "3")
    follower.refresh()
    assert answering(follower) == ("1", None)
    # Until it is switched to follow the champion again
    follower.follow("champion")
    assert answering(follower) == ("3", "champion")
    release_version(store, "4")
    follower.refresh()
    assert answering(follower) == ("4", "champion")


def test_the_challenger_is_followed_on_request(
    store: FolderArtifactStore, follower: ReleaseFollower
) -> None:
    # Given a release with a challenger
    champion = ReleasedVersion("1", publish(store, "1"))
    release(store, champion, ReleasedVersion("2", publish(store, "2", 0.4)))
    follower.refresh()
    # When it is followed, Then a new challenger takes over
    follower.follow("challenger")
    assert answering(follower) == ("2", "challenger")
    release(store, champion, ReleasedVersion("3", publish(store, "3", 0.4)))
    follower.refresh()
    assert answering(follower) == ("3", "challenger")


def test_an_unknown_version_is_reported_with_the_existing_ones(
    store: FolderArtifactStore, follower: ReleaseFollower
) -> None:
    release_version(store, "1")
    follower.refresh()
    with pytest.raises(UnknownModelError, match=r"'9'.*Published versions: 1\."):
        follower.pin("9")
    with pytest.raises(UnknownModelError, match=r"challenger.*Published versions: 1\."):
        follower.follow("challenger")
    assert answering(follower) == ("1", "champion")


def test_a_broken_version_is_not_switched_to(
    store: FolderArtifactStore, follower: ReleaseFollower
) -> None:
    # Given a champion, and a broken version 2
    release_version(store, "1")
    follower.refresh()
    publish(store, "2", files={**package_files(), MODEL: b"broken"})
    # When the server is switched to version 2, Then it refuses and still follows the champion
    with pytest.raises(RefusedModelError, match="The current model stays"):
        follower.pin("2")
    release_version(store, "3")
    follower.refresh()
    assert answering(follower) == ("3", "champion")


class FailingStore(FolderArtifactStore):
    """A store some of whose operations fail."""

    failing: frozenset[str] = frozenset()

    def get(self, key: str) -> StoredObject:
        if "get" in self.failing:
            raise StoreError("the store is down")
        return super().get(key)

    def list(self, prefix: str) -> list[str]:
        if "list" in self.failing:
            raise StoreError("the store is down")
        return super().list(prefix)


def test_a_store_failure_is_reported_and_the_model_stays(tmp_path: Path) -> None:
    # Given a server that answers, and a store that then fails
    store = FailingStore(tmp_path / "store")
    follower = ReleaseFollower(store, MODEL_NAME)
    release_version(store, "1")
    follower.refresh()
    store.failing = frozenset({"get", "list"})
    # Then it still answers, and a switch is refused with the reason
    follower.refresh()
    assert answering(follower) == ("1", "champion")
    assert follower.refusal == "the store is down"
    with pytest.raises(NotReadyError, match="the store is down"):
        follower.follow("champion")
    with pytest.raises(NotReadyError, match="the store is down"):
        follower.pin("1")
    # Also where only the list of versions fails
    store.failing = frozenset({"list"})
    with pytest.raises(NotReadyError, match="the store is down"):
        follower.pin("1")
    # And once it is back, the reason is cleared
    store.failing = frozenset()
    follower.follow("champion")
    assert follower.refusal is None


def previous_document(store: FolderArtifactStore, body: bytes) -> None:
    store.replace(RELEASE_KEY, body, store.get(RELEASE_KEY).etag)


def test_a_release_document_of_before_is_refused(
    store: FolderArtifactStore, follower: ReleaseFollower, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a server that has followed revision 2, and the document of revision 1 put back
    release_version(store, "1")
    first = store.get(RELEASE_KEY).body
    follower.refresh()
    release_version(store, "2")
    second = store.get(RELEASE_KEY).body
    follower.refresh()
    previous_document(store, first)
    # When it polls several times
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            follower.refresh()
    # Then the model stays; the reason is logged once, counted, and shown
    assert answering(follower) == ("2", "champion")
    assert "revision 1, which is older than revision 2" in (follower.refusal or "")
    assert not follower.follows
    assert follower.refusals == 1
    assert [r.getMessage() for r in caplog.records] == ["release_not_followed"]
    # And no request makes it go back either
    switches: Switches = (lambda: follower.pin("1"), lambda: follower.follow("champion"))
    for switch in switches:
        with pytest.raises(NotReadyError, match="Revisions only grow"):
            switch()
    # And once the document is back, or a later one comes, it is followed
    previous_document(store, second)
    follower.refresh()
    assert (follower.refusal, follower.follows) == (None, True)
    release_version(store, "3")
    follower.refresh()
    assert answering(follower) == ("3", "champion")


def test_the_same_revision_with_another_content_is_refused(
    store: FolderArtifactStore, follower: ReleaseFollower
) -> None:
    release_version(store, "1")
    publish(store, "2")
    follower.refresh()
    body = store.get(RELEASE_KEY).body
    previous_document(store, body.replace(b'"version": "1"', b'"version": "2"'))
    follower.refresh()
    assert answering(follower) == ("1", "champion")
    assert "differs from revision 1" in (follower.refusal or "")
    # But the same content in another form is the same document
    previous_document(store, body + b"\n")
    follower.refresh()
    assert follower.refusal is None


@pytest.mark.parametrize("revisions", list(itertools.permutations((1, 2, 3, 4))))
def test_in_every_order_of_documents_the_newest_seen_answers(
    store: FolderArtifactStore, revisions: tuple[int, ...]
) -> None:
    # Given four documents, and a server that sees them in any order
    documents = {}
    for revision in (1, 2, 3, 4):
        release_version(store, str(revision))
        documents[revision] = store.get(RELEASE_KEY).body
    follower, newest = ReleaseFollower(store, MODEL_NAME), 0
    for revision in revisions:
        previous_document(store, documents[revision])
        follower.refresh()
        # Then the newest that it has seen answers, and it says whether that is the one stored
        newest = max(newest, revision)
        assert answering(follower) == (str(newest), "champion")
        assert follower.follows is (revision == newest)


@pytest.mark.parametrize("pinned", [False, True])
def test_a_server_that_follows_nothing_any_more_says_so(
    store: FolderArtifactStore,
    follower: ReleaseFollower,
    tmp_path: Path,
    pinned: bool,  # noqa: FBT001 - a case
) -> None:
    # Given a server that follows, or is pinned to a version
    release_version(store, "1")
    follower.refresh()
    if pinned:
        follower.pin("1")
    path = tmp_path / "store" / RELEASE_KEY
    body = path.read_bytes()
    # When the document is deleted, or cannot be read
    for content, reason in (
        (None, "is gone (its last revision was 1)"),
        (b"{", "not a release document"),
        (b'{"revision": 0}', "not a release document"),
    ):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        follower.refresh()
        assert reason in (follower.refusal or "")
        assert not follower.follows
    # Then it says so until the document is back
    path.write_bytes(body)
    follower.refresh()
    assert (follower.refusal, follower.follows) == (None, True)
    assert answering(follower)[0] == "1"


class TestOutsideDevelopment:
    """Only a decision changes what answers."""

    @pytest.fixture
    def follower(self, store: FolderArtifactStore) -> ReleaseFollower:
        champion = ReleasedVersion("2", publish(store, "2"))
        challenger = ReleasedVersion("3", publish(store, "3", 0.4))
        publish(store, "1")
        release(store, champion, challenger, weight=0.1)
        follower = ReleaseFollower(store, MODEL_NAME)
        follower.refresh()
        return follower

    def test_what_no_decision_has_answer_is_not_loaded(self, follower: ReleaseFollower) -> None:
        switches: Switches = (
            lambda: follower.pin("1"),
            lambda: follower.pin("3"),
            lambda: follower.follow("challenger"),
        )
        for switch in switches:
            with pytest.raises(RefusedModelError, match="No decision has version"):
                switch()
        with pytest.raises(UnknownModelError):
            follower.pin("9")
        split = follower.split()
        assert (split.primary.model.version, split.weight) == ("2", 0.1)

    def test_what_is_decided_is_followed_and_so_are_later_decisions(
        self, store: FolderArtifactStore, follower: ReleaseFollower
    ) -> None:
        # Given the champion, loaded by its number or alias
        switches: Switches = (lambda: follower.pin("2"), lambda: follower.follow("champion"))
        for switch in switches:
            assert switch().model.version == "2"
            # Then the split stays as decided
            assert follower.split().weight == 0.1
        # And a later rollback is followed
        release(store, ReleasedVersion("1", publish(store, "1")))
        follower.refresh()
        assert answering(follower) == ("1", "champion")
        with pytest.raises(RefusedModelError):
            follower.pin("2")

    def test_a_load_follows_a_decision_before_the_next_poll(
        self, store: FolderArtifactStore, follower: ReleaseFollower
    ) -> None:
        release(store, ReleasedVersion("1", publish(store, "1")))
        assert follower.pin("1").model.version == "1"

    def test_a_challenger_that_answers_everything_may_be_named(
        self, store: FolderArtifactStore, follower: ReleaseFollower
    ) -> None:
        champion, challenger = (
            ReleasedVersion(v, publish(store, v, p)) for v, p in (("2", 0.25), ("3", 0.4))
        )
        release(store, champion, challenger, weight=1.0)
        follower.pin("3")
        assert follower.split().answering("any").model.version == "3"
        assert answering(follower) == ("2", "champion")
