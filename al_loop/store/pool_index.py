"""Which sample may be offered to whom: the state of every sample of a campaign in memory, in step with the store.

The store is the truth, and the index can be read from it at any time (`al_loop.store.pool_indexes`). The store's writer
reports every commit to it in order. A query takes from the index in microseconds what would cost the store a scan of
the pool. Times that pass free leases here too: `advance` says what time it is.
"""

import heapq
import threading
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from al_loop.domain.queries import SKIPS_TO_GIVE_UP, QueryUnit
from al_loop.domain.reserve import in_overlap, random_keys
from al_loop.domain.sample_states import GIVEN_UP, GOLD_STANDARD, LABELLED, LEASED, RESERVE, UNUSABLE, States
from al_loop.domain.samples import SampleCounts
from models.arrays import Ids, positions_of

RESERVE_BLOCK = 1024
"""Positions of the reserve that are looked at together."""
MOST_SHARED = 8
"""Answers of a sample above which its set is not shared: each label would leave one behind, and each be larger."""
NOBODY: frozenset[tuple[str, str]] = frozenset()
NO_MORE_POINTS = -1
"""Instead of a number of points: of an image whose pixels are answered as a whole, or by several annotators."""


class PoolIndex:
    """States of N samples by position, ascending by id. Hold `lock` while several calls belong together.

    Memory: about 30 bytes a sample and its path, and 300 bytes a labelled one at most (annotators and tasks are
    shared).
    """

    def __init__(
        self, *, overlap_share: float = 0.0, overlap_annotators: int = 2, seed: int = 0, tasks: int = 1,
        point_task: str | None = None, most_points: int = 200,
    ) -> None:  # fmt: skip
        """Begin without samples.

        Args:
            overlap_share: Share of samples that several annotators answer.
            overlap_annotators: How many.
            seed: Of the order in which the reserve is offered, and of the overlap.
            tasks: How many tasks the campaign has; a sample is labelled when each has an answer.
            point_task: The task that queries about points ask; None: they cannot.
            most_points: Points of one image after which they do not come back to it.
        """
        self.lock = threading.RLock()
        self.overlap_share, self.overlap_annotators, self.seed = overlap_share, overlap_annotators, seed
        self.tasks, self.point_task, self.most_points = tasks, point_task, most_points
        self.sample_ids: Ids = np.empty(0, np.int64)
        self.paths = pa.chunked_array([], pa.string())
        self.state: NDArray[np.uint8] = np.empty(0, np.uint8)
        self.overlap: NDArray[np.bool_] = np.empty(0, np.bool_)
        self.gold_standard: Ids = np.empty(0, np.int64)
        """Positions of the gold-standard samples."""
        self.answers: NDArray[np.object_] = np.empty(0, object)
        """Who answered which task, by position: frozensets of (annotator, task), equal small ones shared."""
        self.holders: dict[int, dict[str, datetime]] = {}
        """Until when who has a sample on lease, by position; of leases that run."""
        self.points: NDArray[np.int16] = np.empty(0, np.int16)
        """Points that a label of `point_task` holds, 0 without a label; `NO_MORE_POINTS`: see there."""
        self.partial: dict[int, dict[str, int]] = {}
        """Whose labels hold how many points, by position; of `point_task`."""
        self.skipped: dict[str, set[int]] = {}
        """Positions of what an annotator skipped."""
        self.shared_out: dict[int, None] = {}
        """Positions of the overlap that wait for further annotators, those queried first come first."""
        self.clock: datetime | None = None
        """The latest time that the index was notified of."""
        self.retired = False
        """Whether another index was, or is being, read in its place: this one may grant nothing any more."""
        self.free = self.free_for_points = 0
        """Samples that strategies choose from, for either unit."""
        self.labelled = 0
        """Samples outside the test reserve with an answer to any task, gold-standard ones left out."""
        self.partly = {0: 0, RESERVE: 0}
        """Samples outside and inside the test reserve with an answer to some tasks only."""
        self.reserve_queried = 0
        """Samples of the test reserve that are labelled or leased."""
        self._skippers: dict[int, set[str]] = {}
        self._expiries: list[tuple[datetime, int, str]] = []
        self._known_answers: dict[frozenset[tuple[str, str]], frozenset[tuple[str, str]]] = {}
        self._reserve_order: Ids = np.empty(0, np.int64)
        self._reserve_start = 0
        """Nothing before it in the order is open, as far as is known."""

    def __len__(self) -> int:
        return len(self.sample_ids)

    def position(self, sample_id: int) -> int | None:
        """Where a sample stands, None if it is not here."""
        place = int(np.searchsorted(self.sample_ids, sample_id))
        return place if place < len(self.sample_ids) and self.sample_ids[place] == sample_id else None

    def paths_of(self, sample_ids: Sequence[int]) -> list[str]:
        """Paths of samples that are here."""
        positions, _ = positions_of(np.array(sample_ids, np.int64), self.sample_ids)
        return [str(self.paths[position].as_py()) for position in positions.tolist()]

    def copy(self, unit: QueryUnit = "image") -> States:
        """The states as they are now, to be looked at without the lock."""
        with self.lock:
            return States(self.sample_ids, self.state.copy(), self.labelled, self.is_open(slice(None), unit))

    def counts(self) -> SampleCounts:
        """Samples by state at the index's time."""
        with self.lock:
            of_state = np.bincount(self.state, minlength=64).tolist()

        def count(bits: int, without: int = 0) -> int:
            return sum(
                samples for state, samples in enumerate(of_state) if state & bits == bits and not state & without
            )

        return SampleCounts(
            pool=count(0, RESERVE | GOLD_STANDARD | LABELLED | LEASED),
            leased=count(LEASED, RESERVE | GOLD_STANDARD | LABELLED),
            labelled=count(LABELLED, RESERVE | GOLD_STANDARD),
            reserve=count(RESERVE, GOLD_STANDARD),
            reserve_labelled=count(RESERVE | LABELLED, GOLD_STANDARD),
            total=len(self),
            skipped=count(GIVEN_UP, LABELLED | GOLD_STANDARD),
            golden=count(GOLD_STANDARD),
            partly=self.partly[0],
            reserve_partly=self.partly[RESERVE],
            reserve_leased=count(LEASED | RESERVE, LABELLED | GOLD_STANDARD),
            unusable=count(UNUSABLE),
        )

    def is_open(self, positions: slice | Sequence[int] | Ids, unit: QueryUnit) -> NDArray[np.bool_]:
        """Which of N positions strategies choose from, shape (N,); with points to ask, also labelled ones."""
        state = self.state[positions]
        if unit == "image":
            return np.asarray(state == 0)
        points = self.points[positions]
        return np.asarray(((state | LABELLED) == LABELLED) & (points >= 0) & (points < self.most_points))

    def free_among(self, sample_ids: Ids, unit: QueryUnit = "image") -> NDArray[np.bool_]:
        """Which of these strategies may choose, shape as given."""
        positions, known = positions_of(sample_ids, self.sample_ids)
        known[known] = self.is_open(positions, unit)
        return known

    def hidden_from(self, annotator: str, unit: QueryUnit) -> set[int]:
        """Positions that strategies choose from, but not for this annotator.

        What they skipped; and images where others answer points: of several labels of an image one counts.
        """
        skipped = self.skipped.get(annotator, set())
        if unit == "image":
            return skipped
        return skipped.union(place for place, given in self.partial.items() if annotator not in given)

    def count_open(self, annotator: str, unit: QueryUnit) -> int:
        """Samples that a strategy can choose from for an annotator."""
        every = self.free if unit == "image" else self.free_for_points
        hidden = self.hidden_from(annotator, unit)
        return every - (int(np.count_nonzero(self.is_open(list(hidden), unit))) if hidden else 0)

    def answerers(self, position: int) -> set[str]:
        """Who gave a current label."""
        return {annotator for annotator, _ in self.answers[position]}

    def has_seen(self, position: int, annotator: str) -> bool:
        """Whether an annotator has the sample on lease, answered every task of it, or skipped it."""
        return (
            annotator in self.holders.get(position, ())
            or annotator in self._skippers.get(position, ())
            or len({task for person, task in self.answers[position] if person == annotator}) >= self.tasks
        )

    def is_only_leased(self, position: int, *, reserve: bool = False) -> bool:
        """Whether nothing but leases keeps a sample of the pool, or of the reserve, from being offered."""
        return int(self.state[position]) == (LEASED | RESERVE if reserve else LEASED)

    def may_be_labelled_again(self, sample_id: int, annotator: str) -> bool:
        """Whether an annotator may answer a sample with a label once more.

        Not if it is leased, given up or skipped by them, and not if it waits for a further annotator anyway.
        """
        position = self.position(sample_id)
        if position is None or position in self.shared_out or position in self.skipped.get(annotator, ()):
            return False
        return bool(self.answers[position]) and not int(self.state[position]) & (LEASED | GIVEN_UP | UNUSABLE)

    def register(
        self, sample_ids: Ids, paths: pa.ChunkedArray, reserve: NDArray[np.bool_], gold_standard: NDArray[np.bool_]
    ) -> None:
        """Append N samples whose ids are above all others, without leases, answers or skips.

        Args:
            sample_ids: Shape (N,), ascending.
            paths: N strings.
            reserve: Which belong to the test reserve, shape (N,).
            gold_standard: Which have a known answer, shape (N,); whether they are in the reserve does not matter then.
        """
        with self.lock:
            self.gold_standard = np.concatenate([self.gold_standard, np.flatnonzero(gold_standard) + len(self)])
            self.sample_ids = np.concatenate([self.sample_ids, sample_ids])
            self.paths = pa.chunked_array([*self.paths.chunks, *paths.chunks], pa.string())
            state = (reserve * RESERVE + gold_standard * GOLD_STANDARD).astype(np.uint8)
            self.state = np.concatenate([self.state, state])
            self.overlap = np.concatenate([self.overlap, in_overlap(sample_ids, self.overlap_share, self.seed)])
            self.answers = np.concatenate([self.answers, np.full(len(sample_ids), NOBODY, object)])
            self.points = np.concatenate([self.points, np.zeros(len(sample_ids), np.int16)])
            self.free += int(np.count_nonzero(state == 0))
            self.free_for_points += int(np.count_nonzero(state == 0))
            places = np.flatnonzero((self.state & (RESERVE | GOLD_STANDARD)) == RESERVE)
            self._reserve_order = places[np.argsort(random_keys(self.sample_ids[places], self.seed), kind="stable")]
            self._reserve_start = 0

    def answer(
        self, sample_id: int, annotator: str, task: str, *, ends_lease: bool = True, points: int | None = None
    ) -> None:
        """A label was recorded, with so many points; the last one that a lease waits for ends it."""
        with self.lock:
            position = self.position(sample_id)
            if position is not None:
                self._set_answers(position, self.answers[position] | {(annotator, task)})
                self._set_points(position, annotator, task, points)
                if ends_lease:
                    self._let_go(position, annotator)

    def answer_all(self, sample_id: int, answers: dict[tuple[str, str], int | None]) -> None:
        """All labels of a sample, by annotator and task, and how many points each has, when the index is read."""
        with self.lock:
            position = self.position(sample_id)
            if position is not None:
                self._set_answers(position, frozenset(answers))
                for (annotator, task), points in answers.items():
                    self._set_points(position, annotator, task, points)

    def has_no_points(self, sample_id: int) -> None:
        """No pixel of a sample is left to ask about: it is left out until the index is read again."""
        with self.lock:
            position = self.position(sample_id)
            if position is not None:
                self._change_points(position, NO_MORE_POINTS)

    def retract(self, sample_id: int, annotator: str, task: str) -> None:
        """A label was withdrawn."""
        with self.lock:
            position = self.position(sample_id)
            if position is not None:
                self._set_answers(position, self.answers[position] - {(annotator, task)})
                self._set_points(position, annotator, task, None)

    def hold(self, sample_id: int, annotator: str, until: datetime) -> None:
        """A lease begins, or runs on."""
        with self.lock:
            position = self.position(sample_id)
            if position is not None:
                held = self.holders.setdefault(position, {})
                if held.get(annotator) != until:
                    held[annotator] = until
                    heapq.heappush(self._expiries, (until, position, annotator))
                self._change(position, set_bits=LEASED)

    def release(self, sample_id: int, annotator: str, until: datetime | None = None) -> None:
        """A lease ends; with `until` only if it is still the one that was to end then."""
        with self.lock:
            position = self.position(sample_id)
            if position is not None and until in (None, self.holders.get(position, {}).get(annotator)):
                self._let_go(position, annotator)

    def skip(self, sample_id: int, annotator: str) -> None:
        """The annotator cannot tell; their lease ends."""
        with self.lock:
            position = self.position(sample_id)
            if position is not None:
                self.skipped.setdefault(annotator, set()).add(position)
                skippers = self._skippers.setdefault(position, set())
                skippers.add(annotator)
                self._let_go(position, annotator)
                if len(skippers) >= SKIPS_TO_GIVE_UP:
                    self._change(position, set_bits=GIVEN_UP)

    def unskip(self, sample_id: int, annotator: str) -> None:
        """The annotator takes a skip back: the sample may be offered to them again."""
        with self.lock:
            position = self.position(sample_id)
            skippers = self._skippers.get(position, set()) if position is not None else set()
            if position is not None and annotator in skippers:
                skippers.discard(annotator)
                self.skipped[annotator].discard(position)
                if len(skippers) < SKIPS_TO_GIVE_UP:
                    self._change(position, clear_bits=GIVEN_UP)

    def set_usable(self, sample_id: int, usable: bool) -> None:
        """Whether a sample's file can be used: else it is offered to nobody."""
        with self.lock:
            position = self.position(sample_id)
            if position is not None:
                bits = {"clear_bits" if usable else "set_bits": UNUSABLE}
                self._change(position, **bits)

    def advance(self, now: datetime) -> datetime:
        """Let time pass to `now` and free what ran out; return the index's time, which never goes back."""
        with self.lock:
            self.clock = now if self.clock is None else max(self.clock, now)
            while self._expiries and self._expiries[0][0] <= self.clock:
                until, position, annotator = heapq.heappop(self._expiries)
                if self.holders.get(position, {}).get(annotator) == until:
                    self._let_go(position, annotator)
            return self.clock

    def next_reserve(self, most: int, annotator: str, unit: QueryUnit = "image") -> list[int]:
        """Positions of the reserve to offer an annotator next, in the reserve's own order.

        When it is through, a query about points comes back to those with the fewest.
        """
        with self.lock:
            skipped = self.skipped.get(annotator, set())
            found: list[int] = []
            for start in range(self._reserve_start, len(self._reserve_order), RESERVE_BLOCK):
                some = self._reserve_order[start : start + RESERVE_BLOCK]
                open_now = some[self.state[some] == RESERVE].tolist()
                if not found and not open_now and start == self._reserve_start:
                    self._reserve_start += len(some)
                found += [position for position in open_now if position not in skipped]
                if len(found) >= most:
                    break
            if unit == "point" and len(found) < most:
                again = [position for position in self.partial if self.state[position] == RESERVE | LABELLED]
                hidden = self.hidden_from(annotator, unit)
                found += sorted(set(again) - hidden, key=lambda position: (int(self.points[position]), position))
            return found[:most]

    def _set_answers(self, position: int, answers: frozenset[tuple[str, str]]) -> None:
        if len(answers) <= MOST_SHARED:
            answers = self._known_answers.setdefault(answers, answers)
        before, self.answers[position] = self.answers[position], answers
        complete = len({task for _, task in answers}) >= self.tasks
        special = int(self.state[position]) & (RESERVE | GOLD_STANDARD)
        if special == 0:
            self.labelled += bool(answers) - bool(before)
        if special in self.partly:
            was_partly = bool(before) and not self.state[position] & LABELLED
            self.partly[special] += (bool(answers) and not complete) - was_partly
        if complete:
            self._change(position, set_bits=LABELLED)
        else:
            self._change(position, clear_bits=LABELLED)

    def _set_points(self, position: int, annotator: str, task: str, points: int | None) -> None:
        """Note the points of an annotator's label, which is among the answers already, or gone from them."""
        if task != self.point_task:
            return
        given = self.partial.setdefault(position, {})
        given.pop(annotator, None)
        if points is not None:
            given[annotator] = points
        if not given:
            del self.partial[position]
        who = [person for person, answered in self.answers[position] if answered == task]
        alone = given.get(who[0], NO_MORE_POINTS) if len(who) == 1 else NO_MORE_POINTS
        self._change_points(position, min(alone, np.iinfo(np.int16).max) if who else 0)

    def _change_points(self, position: int, points: int) -> None:
        before = self._asks_points(position)
        self.points[position] = points
        self.free_for_points += self._asks_points(position) - before

    def _asks_points(self, position: int) -> bool:
        known = int(self.points[position])
        return int(self.state[position]) | LABELLED == LABELLED and 0 <= known < self.most_points

    def _let_go(self, position: int, annotator: str) -> None:
        held = self.holders.get(position)
        if held is not None and annotator in held:
            del held[annotator]
            if not held:
                del self.holders[position]
        self._change(position, clear_bits=0 if position in self.holders else LEASED)

    def _change(self, position: int, *, set_bits: int = 0, clear_bits: int = 0) -> None:
        """Every change of a state goes through here: it keeps the counts."""
        before, asked_points = int(self.state[position]), self._asks_points(position)
        after = (before | set_bits) & ~clear_bits
        self.state[position] = after
        self.free += (after == 0) - (before == 0)
        self.free_for_points += self._asks_points(position) - asked_points
        special, queried = before & (RESERVE | GOLD_STANDARD), LABELLED | LEASED
        if special == RESERVE:
            self.reserve_queried += bool(after & queried) - bool(before & queried)
            if after == RESERVE != before:
                self._reserve_start = 0
        if self.overlap[position] and special == 0:
            seen = self.answerers(position) | self.holders.get(position, {}).keys()
            if 0 < len(seen) < self.overlap_annotators and not after & (GIVEN_UP | UNUSABLE):
                self.shared_out.setdefault(position)
            else:
                self.shared_out.pop(position, None)
