"""The control of row 11: responds 202 to a webhook before it writes, in batches."""

from dataclasses import replace
from threading import Event, Thread

from config.loader import read_settings
from service.intake.intake import Intake
from service.records.outcomes import Outcome
from service.surveys.model import Close
from service.web.app import create_app
from service.web.services import Services

_BATCH_SECONDS = 0.1


class LaterIntake(Intake):
    """Keeps closes in memory."""

    def begin(self) -> "LaterIntake":
        self._closes: list[Close] = []
        Thread(target=self._write_batches, daemon=True).start()
        return self

    def take_close(self, close: Close) -> Outcome:
        self._closes.append(close)
        return Outcome.ACCEPTED

    def _write_batches(self) -> None:
        while not Event().wait(_BATCH_SECONDS):
            while self._closes:
                super().take_close(self._closes.pop(0))


_settings = read_settings()
app = create_app(_settings)
_core: Services = app.extensions["afterword"]
if _core.spool:
    _core.spool.prepare()
_intake = LaterIntake(_core.records, _settings.surveys, _core.spool, _core.intake._identities)
app.extensions["afterword"] = replace(_core, intake=_intake.begin())
_core.recovery.loop.start("recovery")
