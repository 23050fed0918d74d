"""Versions of a model on disk: loading, serving, unloading and retries, with a fake loader."""

import pytest

from components.publishing.versions import version_folders
from serving.server.config import Policy, Retries
from serving.server.models import State, Versions
from serving.server.status import Code, RequestError


class Loaded:
    def __init__(self, path):
        self.name, self.closed = path.name, False

    def close(self):
        self.closed = True


class World:
    """A base path with its versions, a clock, and a set of broken versions."""

    def __init__(self, base, policy, retries=None):
        self.base, self.now, self.broken, self.loads = base, 0.0, set(), []
        self.made = {}
        self.versions = Versions(
            "ner",
            base,
            self.load,
            policy,
            retries or Retries(2, 60),
            clock=lambda: self.now,
            wake=self.woken,
        )
        self.wakes = 0

    def woken(self):
        self.wakes += 1

    def load(self, path):
        self.loads.append(int(path.name))
        # While a version is loaded, the serving version must stay available.
        self.serving_meanwhile = self.states(State.AVAILABLE)
        if int(path.name) in self.broken:
            raise RequestError(Code.DATA_LOSS, f"{path.name} is\nbroken")
        self.made[int(path.name)] = Loaded(path)
        return self.made[int(path.name)]

    def publish(self, *numbers):
        for number in numbers:
            (self.base / str(number)).mkdir()
        self.versions.step()

    def remove(self, number):
        (self.base / str(number)).rmdir()
        self.versions.step()

    def states(self, *wanted):
        return {
            one.version: one.state
            for one in self.versions.statuses()
            if not wanted or one.state in wanted
        }


@pytest.fixture
def world(tmp_path):
    return World(tmp_path, Policy())


def serving(world):
    lease = world.versions.acquire()
    lease.release()
    return lease.version


def test_children_whose_names_are_numbers_are_versions(tmp_path):
    for name in ("1", "007", "x", ".2", "-3", "4.5", "٩", str(2**63 - 1), str(2**63)):
        (tmp_path / name).mkdir()
    (tmp_path / "8").touch()
    assert list(version_folders(tmp_path)) == [1, 7, 2**63 - 1]


def test_the_latest_version_serves(world):
    world.publish(2, 10, 9)
    assert world.loads == [10] and serving(world) == 10


def test_a_new_version_is_loaded_before_the_old_one_is_unloaded(world):
    world.publish(1)
    world.publish(2)
    assert world.serving_meanwhile == {1: State.AVAILABLE}
    assert serving(world) == 2 and world.made[1].closed and not world.made[2].closed
    assert world.states() == {2: State.AVAILABLE, 1: State.END}


def test_an_old_version_is_unloaded_after_its_last_response(world):
    world.publish(1)
    first, second = world.versions.acquire(), world.versions.acquire()
    world.publish(2)
    assert world.states()[1] is State.UNLOADING and not world.made[1].closed
    first.release()
    first.release()  # again does nothing
    assert world.wakes == 0
    world.versions.step()
    assert not world.made[1].closed
    second.release()
    assert world.wakes == 1
    world.versions.step()
    assert world.made[1].closed and world.states()[1] is State.END


def test_a_version_that_is_unloading_gets_no_new_requests(world):
    world.publish(1)
    lease = world.versions.acquire()
    world.publish(2)
    with pytest.raises(RequestError, match=r"Servable not found for request: Specific\(ner, 1\)"):
        world.versions.acquire(1)
    lease.release()


def test_a_broken_version_leaves_the_old_one_serving_and_reports_the_error(world):
    world.broken.add(2)
    world.publish(1)
    world.publish(2)
    assert serving(world) == 1
    newest, old = world.versions.statuses()
    assert (newest.version, newest.state, newest.code, newest.message) == (
        2,
        State.END,
        Code.DATA_LOSS,
        "2 is broken",
    )
    assert (old.version, old.state, old.code, old.message) == (1, State.AVAILABLE, Code.OK, "")


def test_a_broken_version_is_retried_with_the_configured_count_and_interval(world):
    world.broken.add(2)
    world.publish(1, 2)
    for now, tries in ((30, 1), (60, 2), (61, 2), (119, 2), (120, 3), (1_000, 3)):
        world.now = now
        world.versions.step()
        assert world.loads == [2] * tries


def test_a_version_is_served_after_a_successful_retry(world):
    world.broken.add(2)
    world.publish(1)
    world.publish(2)
    world.broken.clear()
    world.now = 60
    world.versions.step()
    assert (
        serving(world) == 2 and world.versions.statuses()[0].message == "" and world.made[1].closed
    )


def test_a_broken_version_is_loaded_at_once_after_it_is_published_again(world):
    world.broken.add(2)
    world.publish(1)
    world.publish(2)
    world.remove(2)
    world.broken.clear()
    world.publish(2)
    assert serving(world) == 2


def test_removing_the_newest_version_falls_back_to_the_previous_one(world):
    world.publish(1)
    world.publish(2)
    world.remove(2)
    assert serving(world) == 1 and world.loads == [1, 2, 1] and world.made[2].closed


def test_a_removed_version_keeps_serving_if_the_previous_one_is_broken(world):
    world.publish(1)
    world.publish(2)
    world.broken.add(1)
    world.remove(2)
    assert serving(world) == 2 and not world.made[2].closed


def test_a_model_without_versions_is_not_found(world):
    world.publish(1)
    world.remove(1)
    with pytest.raises(
        RequestError, match=r"Servable not found for request: Latest\(ner\)"
    ) as raised:
        world.versions.acquire()
    assert raised.value.code is Code.NOT_FOUND and world.made[1].closed


def test_an_unreadable_base_path_leaves_the_versions_serving(world):
    world.publish(1)
    world.base.joinpath("1").rmdir()
    world.base.rmdir()
    world.versions.step()
    assert serving(world) == 1


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        (Policy(latest=2), [3, 2]),
        (Policy(every=True), [3, 2, 1]),
        (Policy(specific=(1, 3, 9)), [3, 1]),
    ],
)
def test_the_policy_decides_which_versions_serve(tmp_path, policy, served):
    world = World(tmp_path, policy)
    world.publish(1, 2, 3)
    assert sorted(world.states(State.AVAILABLE), reverse=True) == served
    for version in served:
        world.versions.acquire(version).release()


def test_close_unloads_versions_after_their_last_lease(world):
    world.publish(1)
    lease = world.versions.acquire()
    world.versions.close()
    world.versions.step()
    assert not world.versions.idle
    lease.release()
    world.versions.step()
    assert world.versions.idle and world.made[1].closed


def test_a_blocking_retry_makes_every_attempt_before_it_returns(tmp_path):
    world = World(tmp_path, Policy(), Retries(times=3, seconds=0.01, shown=False, blocking=True))
    world.broken.add(1)
    world.publish(1)
    assert world.loads == [1] * 4 and world.states() == {1: State.END}


def test_between_hidden_retries_a_version_is_loading_without_an_error(tmp_path):
    world = World(tmp_path, Policy(), Retries(times=1, seconds=60, shown=False))
    world.broken.add(2)
    world.publish(1)
    world.publish(2)
    [status] = [one for one in world.versions.statuses() if one.version == 2]
    assert (status.state, status.code, status.message) == (State.LOADING, Code.OK, "")
    world.now = 60
    world.versions.step()
    assert world.states() == {2: State.END, 1: State.AVAILABLE}
    assert world.versions.statuses()[0].message == "2 is broken"


def test_a_version_waiting_for_a_retry_ends_when_a_newer_one_is_published(tmp_path):
    world = World(tmp_path, Policy(), Retries(times=5, seconds=60, shown=False))
    world.broken.add(2)
    world.publish(1, 2)
    world.publish(3)
    assert world.states() == {3: State.AVAILABLE, 2: State.END}
