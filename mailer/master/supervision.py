"""Keeps the processes of a plan running: the order of the start, what happens when one dies, a change of the plan, the end.

A process that dies is started again, at once or after a pause (`mailer.master.backoff`); the others go on. A change starts
the new processes beside the old ones and lets them take over when all are ready, or not at all. Knows no mail.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater

from mailer.master.backoff import Backoff
from mailer.master.processplan import ProcessPlan

__all__ = ["ChangeRefused", "Generation", "Slot", "Supervisor"]

#: Seconds that smtpd waits, at the start, for a queue manager that does not come up.
_GATE_SECONDS = 5.0
#: Seconds in which new processes have to be ready, and in which qmgr has to take over a new configuration.
_CHANGE_SECONDS = 60.0
#: Seconds that sessions begun under an old configuration may last.
RETIRE_SECONDS = 3600.0
_ASK_SECONDS = 10.0
_POLL = 0.02
#: The kind that there is never more than one of: it changes in place.
_SINGLE = "qmgr"


class Generation(Protocol):
    """One configuration in force."""

    @property
    def process_plans(self) -> tuple[ProcessPlan, ...]: ...

    @property
    def peers(self) -> dict[str, list[str]]:
        """For each transport its processes."""

    @property
    def descriptor(self) -> int:
        """The configuration, see `mailer.master.birth.written`."""

    def together(self, plans: Iterable[ProcessPlan]) -> AbstractContextManager[None]:
        """What is started inside is started with less work. :raise OSError:"""

    def start(self, plan: ProcessPlan, watcher: Any) -> Any:
        """A `mailer.master.process.Process`. :raise OSError:"""


class ChangeRefused(Exception):
    """The old processes go on; the text says why."""


class Slot:
    """The place of one process: who fills it now, who did, how often it had to be filled again."""

    def __init__(self, plan: ProcessPlan, most_pause: float) -> None:
        self.plan = plan
        self.process: Any = None
        self.leaving: list[Any] = []
        self.backoff = Backoff(most_pause)
        self.restarts = 0
        self.trouble = ""
        self.pending: Any = None  # the start that is due later

    @property
    def settled(self) -> bool:
        """Whether it serves, or has shown that it cannot."""
        return bool(self.trouble) or (self.process is not None and self.process.state == "serving")


class Supervisor:
    """:param asked: given requests of processes: (process, message, descriptors).
    :param settled: called once, when every process serves or has failed for the first time.
    :param useless: called instead, with a reason, when there is no queue to be had.
    :param most_pause: service_throttle_time."""

    def __init__(
        self,
        reactor: Any,
        log: Any,
        most_pause: float,
        asked: Callable[[Any, dict[str, Any], list[int]], None],
        settled: Callable[[], None],
        useless: Callable[[str], None],
    ) -> None:
        self._reactor = reactor
        self._log = log
        self._most_pause = most_pause
        self.asked = asked
        self._settled: Callable[[], None] | None = settled
        self._useless = useless
        self._generation: Any = None
        self.slots: dict[str, Slot] = {}
        self._gate = False
        self._stopping = False
        self._new: dict[str, Any] = {}
        self._all_ready = False
        self._decision: Deferred[str] | None = None
        self._watch = LoopingCall(self._look_after)
        self._watch.clock = reactor

    # -- start

    def start(self, generation: Any) -> None:
        """Start everything."""
        self._generation = generation
        with generation.together(generation.process_plans):
            for plan in generation.process_plans:
                slot = self.slots[plan.name] = Slot(plan, self._most_pause)
                self._fill(slot)
        self._reactor.callLater(_GATE_SECONDS, self._open_gate)
        self._watch.start(_ASK_SECONDS, now=False)

    def _fill(self, slot: Slot) -> None:
        slot.pending = None
        if self._stopping:
            return
        try:
            slot.process = self._generation.start(slot.plan, self)
        except OSError as error:
            self._log.error(f"{slot.plan.name}: cannot be started: {error.strerror}")
            self._refill(slot, slot.backoff.died(self._reactor.seconds(), False, False))

    def _refill(self, slot: Slot, pause: float) -> None:
        slot.restarts += 1
        slot.pending = self._reactor.callLater(pause, self._fill, slot)

    def _open_gate(self) -> None:
        if not self._gate and not self._stopping:
            self._gate = True
            for slot in self.slots.values():
                if slot.process is not None:
                    self._cue(slot)

    def _cue(self, slot: Slot) -> None:
        """Mail is taken in when there is somebody to queue it."""
        if slot.process.state == "ready" and (self._gate or slot.plan.kind != "smtpd"):
            slot.process.listen()
            slot.backoff.served()
            slot.trouble = ""
            if slot.plan.kind == _SINGLE:
                self._open_gate()
        self._perhaps_settled()

    def _perhaps_settled(self) -> None:
        if self._settled is not None and not self._stopping and all(slot.settled for slot in self.slots.values()):
            settled, self._settled = self._settled, None
            settled()

    # -- what processes report

    def ready(self, process: Any) -> None:
        for name, reason in process.broken.items():
            self._log.error(f"{process.plan.name}: service {name} is not served: {reason}")
        if process in self._new.values():
            self._judge(process)
            return
        slot = self._slot(process)
        if slot is not None and slot.process is process:
            self._cue(slot)

    def reloaded(self, process: Any, error: str) -> None:
        if self._decision is not None and process.plan.kind == _SINGLE:
            self._decide(error)

    def ended(self, process: Any, status: int) -> None:
        slot = self._slot(process)
        if process in self._new.values():
            # Once all were ready this changes nothing any more: it is started again after the change.
            if not self._all_ready:
                self._decide(process.reason or f"{process.plan.name} {_how(status)}")
        elif slot is not None and process in slot.leaving:
            slot.leaving.remove(process)
            if slot.process is None and not slot.leaving and slot.pending is None:
                self.slots.pop(slot.plan.name, None)
        elif slot is not None and slot.process is process:
            slot.process = None
            if not self._stopping:
                self._died(slot, process, status)

    def _died(self, slot: Slot, process: Any, status: int) -> None:
        name = slot.plan.name
        if process.reason and slot.plan.kind == _SINGLE and self._settled is not None and not process.served:
            self._settled = None
            self._useless(process.reason)
            return
        if process.reason:
            self._log.error(f"{name}: {process.reason}")
        if status:
            self._log.warning(f"process {name} pid {process.pid} {_how(status)}")
        killed = -status in (signal.SIGKILL, signal.SIGTERM) or (status == 0 and process.served)
        pause = slot.backoff.died(self._reactor.seconds(), process.served, killed)
        if not process.served and not killed:
            slot.trouble = process.reason or _how(status)
            self._log.warning(f"{name}: bad command startup -- throttling")
        elif pause and not killed:
            self._log.error(f"{name} ends again and again; it is started in {pause:g} s")
        self._refill(slot, pause)
        self._perhaps_settled()

    def _slot(self, process: Any) -> Slot | None:
        return self.slots.get(process.plan.name)

    def processes(self) -> Iterator[Any]:
        """All that live."""
        for slot in list(self.slots.values()):
            if slot.process is not None:
                yield slot.process
            yield from list(slot.leaving)
        yield from list(self._new.values())

    def _look_after(self) -> None:
        for process in list(self.processes()):
            if process.hangs:
                self._log.error(f"process {process.plan.name} pid {process.pid} does not answer: killed")
                process.kill(signal.SIGABRT)
                self._reactor.callLater(1.0, process.kill)
            elif process.state in ("ready", "serving", "draining"):
                process.ask(lambda: None)

    # -- change

    async def change(self, generation: Any) -> None:
        """Go over to another generation, all processes or none; sessions under way end as they began.

        :raise ChangeRefused:
        """
        self._all_ready = False
        try:
            plans = [plan for plan in generation.process_plans if plan.kind != _SINGLE]
            with generation.together(plans):
                for plan in plans:
                    self._new[plan.name] = generation.start(plan, self)
            if self._new:
                await self._decided()
            self._all_ready = True
            await self._change_single(generation)
        except (ChangeRefused, OSError) as error:
            rejected, self._new = self._new, {}
            for process in rejected.values():
                if process.state != "ended":  # until then it is among those that leave
                    place = self.slots.setdefault(process.plan.name, Slot(process.plan, self._most_pause))
                    place.leaving.append(process)
                    process.kill()
            raise ChangeRefused(str(error)) from error
        self._take_over(generation)

    async def _decided(self) -> None:
        """Wait for `_decide`. :raise ChangeRefused:"""
        self._decision = decision = Deferred()
        late = self._reactor.callLater(_CHANGE_SECONDS, self._decide, "new processes are not ready in time")
        error = await decision
        if late.active():
            late.cancel()
        if error:
            raise ChangeRefused(error)

    def _decide(self, error: str) -> None:
        decision, self._decision = self._decision, None
        if decision is not None:
            decision.callback(error)

    def _judge(self, process: Any) -> None:
        slot = self._slot(process)
        before = slot.process.broken if slot is not None and slot.process is not None else {}
        for name, reason in process.broken.items():
            if name not in before:
                self._decide(f"service {name}: {reason}")
                return
        if all(other.state == "ready" for other in self._new.values()):
            self._decide("")

    async def _change_single(self, generation: Any) -> None:
        slot = self.slots.get(_SINGLE)
        process = slot.process if slot is not None else None
        if process is None:
            return  # it will be born into the new generation
        if process.state != "serving":
            process.kill()
            return
        process.reload(generation.descriptor, generation.peers)
        await self._decided()

    def _take_over(self, generation: Any) -> None:
        self._generation = generation
        new, self._new = self._new, {}
        plans = {plan.name: plan for plan in generation.process_plans}
        for name, slot in list(self.slots.items()):
            if name not in plans and slot.plan.kind != _SINGLE:
                self._retire(slot)
        for name, plan in plans.items():
            slot = self.slots.get(name)
            if slot is None:
                slot = self.slots[name] = Slot(plan, self._most_pause)
            slot.plan = plan
            if name in new:
                old, slot.process = slot.process, new[name]
                self._leave(slot, old)
                if slot.process.state == "ended":
                    slot.process = None
                    self._refill(slot, 0.0)
                else:
                    self._cue(slot)
            elif slot.process is None and slot.pending is None:
                self._fill(slot)

    def _retire(self, slot: Slot) -> None:
        old, slot.process = slot.process, None
        if old is None and not slot.leaving:
            self._leave(slot, None)
            del self.slots[slot.plan.name]
            return
        self._leave(slot, old)

    def _leave(self, slot: Slot, process: Any) -> None:
        if slot.pending is not None:
            slot.pending.cancel()
            slot.pending = None
        if process is None:
            return
        slot.leaving.append(process)
        if process.state == "serving":
            process.drain(RETIRE_SECONDS)
        else:
            process.kill()

    # -- end

    async def stop(self, seconds: float) -> None:
        """Everything ends: those who take mail in first, then the queue manager, then those it gives mail to. About
        ``seconds`` are shared by all that is under way."""
        self._stopping = True
        if self._watch.running:
            self._watch.stop()
        self._decide("the system ends")
        end = self._reactor.seconds() + seconds
        for slot in self.slots.values():
            if slot.pending is not None:
                slot.pending.cancel()
                slot.pending = None
        for kinds in (("smtpd",), (_SINGLE,), ()):
            left = [process for process in self.processes() if not kinds or process.plan.kind in kinds]
            for process in left:
                if process.state in ("serving", "draining"):
                    process.drain(max(end - self._reactor.seconds(), 1.0))
                else:
                    process.kill()
            await self._all_gone(left)

    async def _all_gone(self, processes: list[Any]) -> None:
        while any(process.state != "ended" for process in processes):
            await deferLater(self._reactor, _POLL)


def _how(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"killed by signal {-status}"
