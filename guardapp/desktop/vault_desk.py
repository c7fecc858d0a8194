"""The vault as the window sees it: a snapshot to show, and requests that run off the window's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtCore import QObject, QTimer, Signal

from guardapp.desktop.background import Background
from guardapp.errors import GuardError

if TYPE_CHECKING:
    from guardapp.vault.chain import Entry
    from guardapp.vault.keys import KeyInfo
    from guardapp.vault.ledger import Balance
    from guardapp.vault.store import Vault

_EVERY_MS = 10_000


class VaultSnapshot(NamedTuple):
    """What the vault held a moment ago.

    locks_in: seconds until it locks by itself; None where it does not
    log_note: "" while the audit log is intact, else what is wrong with it
    expiries: key name to the last day on which it is used for something new
    recovery: the key that whatever is sealed is also for; "" where none is required
    """

    locked: bool
    protection: str
    note: str
    locks_in: float | None
    lock_after: float
    last_backup: str
    keys: tuple[KeyInfo, ...]
    budgets: tuple[Balance, ...]
    log_count: int
    log_note: str
    expiries: dict[str, date]
    recovery: str


class VaultDesk(QObject):
    """`snapshot` is None until the vault was read for the first time."""

    changed = Signal()
    passphrase_wanted = Signal(object)
    """Emitted with `then`: the window asks for the passphrase and calls `unlock(passphrase, then)`."""

    def __init__(self, home: Path, background: Background) -> None:
        super().__init__()
        self._home = home
        self._background = background
        self._vault: Vault | None = None
        self.snapshot: VaultSnapshot | None = None
        self.error: GuardError | None = None
        self._opening = threading.Lock()
        self._log_count, self._log_note = -1, ""
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self.refresh)

    def start(self) -> None:
        self.refresh()
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()

    def vault(self) -> Vault:
        """The vault itself, for work that runs in the background (never on the window's thread)."""
        with self._opening:  # the queue's thread asks for keys while the background thread reads
            if self._vault is None:
                from guardapp.vault.store import Vault

                self._vault = Vault.open(self._home)
            return self._vault

    @property
    def key_names(self) -> list[str]:
        return [key.name for key in self.snapshot.keys] if self.snapshot else []

    @property
    def locked(self) -> bool:
        return self.snapshot is None or self.snapshot.locked

    # -- reading ---------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read it again; `changed` follows."""
        self._background(self._read, self._take, self._broken)

    def _read(self) -> VaultSnapshot:
        from guardapp.vault.ledger import Ledger
        from guardapp.vault.rules import expiries, recovery_key

        vault = self.vault()
        count = vault.audit.count()
        if count != self._log_count:  # the whole chain is hashed anew only when it has grown
            checked = vault.audit.verify()
            self._log_count, self._log_note = count, "" if checked.intact else checked.why
        return VaultSnapshot(
            locked=vault.locked,
            protection=vault.protection,
            note=vault.protection_note,
            locks_in=vault.seconds_until_lock(),
            lock_after=vault.lock_after,
            last_backup=vault.last_backup,
            keys=tuple(vault.keys()),
            budgets=tuple(Ledger(self._home).datasets()),
            log_count=count,
            log_note=self._log_note,
            expiries=expiries(vault),
            recovery=recovery_key(vault),
        )

    def _take(self, snapshot: VaultSnapshot) -> None:
        self.error = None
        self.snapshot = snapshot
        self.changed.emit()

    def _broken(self, error: GuardError) -> None:
        # shown on the vault page; the rest of the window works without a vault
        self.error = error
        self.changed.emit()

    # -- acting ----------------------------------------------------------------------------------------------------

    def act(
        self,
        work: Callable[[Vault], object],
        then: Callable[[object], None] | None = None,
        failed: Callable[[GuardError], None] | None = None,
    ) -> None:
        """Do something with the vault in the background, then read it again."""

        def finish(result: object) -> None:
            self.refresh()
            if then is not None:
                then(result)

        self._background(lambda: work(self.vault()), finish, failed)

    def unlocked(self, then: Callable[[], None]) -> None:
        """Call `then()` once the vault is open: at once, or after the passphrase."""
        if self.snapshot is not None and not self.snapshot.locked:
            then()
        else:
            self.passphrase_wanted.emit(then)

    def unlock(
        self, passphrase: str, then: Callable[[], None], failed: Callable[[GuardError], None] | None = None
    ) -> None:
        self.act(lambda vault: vault.unlock(passphrase), lambda _: then(), failed)

    def lock(self) -> None:
        self.act(lambda vault: vault.lock())

    def audit_entries(self, then: Callable[[list[Entry]], None], last: int = 500) -> None:
        """The latest entries of the audit log, newest last."""
        self._background(lambda: self.vault().audit.entries(last), then)

    def restore(
        self, path: Path, passphrase: str, then: Callable[[], None], failed: Callable[[GuardError], None]
    ) -> None:
        """Put a backup in the place of the vault, then read the vault afresh."""

        def work() -> None:
            from guardapp.vault.backup import restore

            restore(path, passphrase, self._home)
            with self._opening:
                self._vault = None
            self._log_count = -1

        def finish(_: object) -> None:
            self.refresh()
            then()

        self._background(work, finish, failed)
