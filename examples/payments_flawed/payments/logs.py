"""One JSON object a line. Only the fields listed here leave the process, so no secret can."""

import json
import logging
import sys

FIELDS = ("path", "charge_id", "refund_id", "message_id", "event_id", "tenant_id", "day", "count")


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update((name, str(getattr(record, name))) for name in FIELDS if hasattr(record, name))
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure() -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # The client's own log lines would print whole addresses.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
