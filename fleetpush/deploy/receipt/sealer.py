"""Makes a run's receipt once, whoever asks first: the history, or who wants it in a file."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from fleetpush.deploy.receipt import NAMESPACE, Receipt
from fleetpush.deploy.receipt.document import text_of

if TYPE_CHECKING:
    from pathlib import Path

    from fleetpush.deploy.options import DeployOptions
    from fleetpush.deploy.receipt.sshsig import PrivateKey
    from fleetpush.deploy.results import RunReport


class Sealer:
    """For one run of ``options``; with no ``--sign-key`` in them it signs with the key of ``state_dir``."""

    def __init__(self, options: DeployOptions, state_dir: Path | None) -> None:
        """Reads the key that the options name: no run begins that cannot be signed for as it was told to.

        Raises SignKeyError.
        """
        self._options = options
        self._state_dir = state_dir
        self._lock = threading.Lock()
        self._receipt: Receipt | None = None
        self._key: PrivateKey | None = None
        if options.sign_key is not None:
            self.prepare()

    def prepare(self) -> None:
        """Has the key ready. Raises SignKeyError."""
        # Brings what a run does not need before its end.
        from fleetpush.deploy.receipt.keys import (  # noqa: PLC0415 - only a run that ends signs
            SignKeyError,
            read_key,
            state_key,
        )

        if self._key is not None:
            return
        if self._options.sign_key is not None:
            self._key = read_key(self._options.sign_key)
        elif self._state_dir is not None:
            self._key = state_key(self._state_dir)
        else:
            raise SignKeyError("there is no state directory with a key: name one with --sign-key")

    def seal(self, report: RunReport) -> Receipt:
        """The receipt of the run that has just ended; the same one every time. Raises SignKeyError."""
        from fleetpush.deploy.receipt.sshsig import sign  # noqa: PLC0415 - as above

        with self._lock:
            if self._receipt is None:
                self.prepare()
                assert self._key is not None
                text = text_of(report, self._options, time.time())
                self._receipt = Receipt(text, sign(self._key, text.encode(), NAMESPACE))
            return self._receipt
