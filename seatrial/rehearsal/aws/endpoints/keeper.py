"""Looks after a variant's server: one that ends, or that stops answering /ping, is replaced by a new one."""

from __future__ import annotations

import threading

from seatrial.rehearsal.aws.endpoints.modelserver import ModelServer, NotHealthy, Served
from seatrial.rehearsal.aws.world import World

_CHECK_S = 5.0  # between two health checks
_SHORTEST_CHECK_S = 0.2  # however fast the service's time runs: the checks cost the servers real time
_MISSES = 2  # health checks in a row without an answer, before a server counts as hanging


class Keeper:
    """Stands in front of one variant's servers, of which one serves at a time. Nothing runs before `start`."""

    def __init__(self, world: World, region: str, served: Served) -> None:
        """``served`` is what each of them serves."""
        self._world, self._region, self._served = world, region, served
        self._server = ModelServer(world, region, served)
        self._up = False
        self._lock = threading.Lock()
        self._over = threading.Event()

    def start(self) -> None:
        """Start the first server and wait until it is healthy.

        Raises:
            NotHealthy: it did not come up. Nothing is tried again.
        """
        self._server.start()
        self._up = True
        threading.Thread(target=self._keep, name=f"keep-{self._served.endpoint}", daemon=True).start()

    def reserve(self) -> ModelServer | None:
        """The server that the next request goes to, which then waits for it; None while there is no healthy one."""
        with self._lock:
            if not self._up:
                return None
            self._server.reserve()
            return self._server

    def _keep(self) -> None:
        forget = self._world.on_close(self._over.set)
        try:
            while not self._over.is_set():
                ended = self._server.ended.wait(max(self._world.waits(_CHECK_S), _SHORTEST_CHECK_S))
                if not self._over.is_set() and (ended or self._hangs()):
                    self._replace()
        finally:
            forget()

    def _hangs(self) -> bool:
        return not any(self._server.ping() for _ in range(_MISSES))

    def _replace(self) -> None:
        with self._lock:
            self._up = False
        self._server.kill()
        while not self._over.is_set():
            with self._lock:
                self._server = ModelServer(self._world, self._region, self._served)
            try:
                self._server.start()
            except NotHealthy:
                self._over.wait(self._world.waits(_CHECK_S))
                continue
            with self._lock:
                self._up = True
            break
        if self._over.is_set():
            self._server.kill()

    def retire(self) -> None:
        """End the server after its last request; none takes its place."""
        self._over.set()
        self._server.retire()

    def kill(self) -> None:
        """End the server at once; none takes its place."""
        self._over.set()
        self._server.kill()
