"""Where log lines go: config/logging_config.yaml, and what the environment says otherwise.

`setup_logging` is called once, first thing in a process.
"""

import logging
import logging.config
import sys
from pathlib import Path
from typing import Any, Dict

import yaml

from auto_voice.errors import SettingsError
from auto_voice.settings import PREFIX, Settings
from auto_voice.utils.log_formats import SafeFormatter
from auto_voice.utils.redaction import Redactor, configured_secrets

_NAME = "logging_config.yaml"
_counts: Dict[str, int] = {}


def setup_logging(settings: Settings) -> None:
    """Send all logging of this process where the configuration and the settings say.

    Raises:
        SettingsError: the configuration is wrong, or the log's folder cannot be written.
    """
    # Nobody reads these of a record, and finding them out takes time on every line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = ""  # likewise where it was logged; so says Python's own manual
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:  # a terminal that knows few characters shows the others escaped
        reconfigure(errors="backslashreplace")
    path = Path(settings.log_config).expanduser() if settings.log_config else _shipped()
    try:
        logging.config.dictConfig(_adjusted(_read(path), settings))
    except (AttributeError, ImportError, KeyError, TypeError, ValueError) as error:
        why = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
        raise SettingsError(f"{PREFIX}LOG_CONFIG: {path}: {why}") from None
    redactor = Redactor(configured_secrets(settings))
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, SafeFormatter):
            handler.formatter.redactor = redactor
    for handler in logging.getLogger().handlers[:1]:
        handler.addFilter(_count)


def record_counts() -> Dict[str, int]:
    """How many lines this process has logged, by level."""
    return dict(_counts)


def redactions() -> int:
    """Secrets that were kept out of this process's log since `setup_logging`."""
    formatters = (handler.formatter for handler in logging.getLogger().handlers)
    redactors = {each.redactor for each in formatters if isinstance(each, SafeFormatter)}
    return sum(redactor.count for redactor in redactors)


def _shipped() -> Path:
    """The configuration that comes along: in the package, or in a checkout beside ``src``."""
    packaged = Path(__file__).with_name(_NAME)
    return packaged if packaged.exists() else Path(__file__).parents[3] / "config" / _NAME


def _read(path: Path) -> Dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{PREFIX}LOG_CONFIG cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise SettingsError(f"{PREFIX}LOG_CONFIG: {path} is not a mapping")
    return found


def _adjusted(config: Dict[str, Any], settings: Settings) -> Dict[str, Any]:
    """``config`` with what the environment overrides."""
    handlers: Dict[str, Any] = config.get("handlers", {})
    root: Dict[str, Any] = config.setdefault("root", {})
    root["level"] = settings.log_level
    form = settings.log_format
    if form == "auto":
        form = "console" if sys.stdout.isatty() else "json"
    if "stdout" in handlers:
        handlers["stdout"]["formatter"] = form
    if settings.log_dir and "file" in handlers:
        folder = _writable(Path(settings.log_dir).expanduser())
        handlers["file"]["filename"] = str(folder / handlers["file"]["filename"])
    else:
        handlers.pop("file", None)
    root["handlers"] = [name for name in root.get("handlers", []) if name in handlers]
    return config


def _writable(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / ".writable"
        trial.write_bytes(b"")
        trial.unlink()
    except OSError as error:
        raise SettingsError(f"{PREFIX}LOG_DIR cannot be written: {error}") from None
    return folder


def _count(record: logging.LogRecord) -> bool:
    # Two threads at once may count one line only; no line is worth a lock.
    _counts[record.levelname] = _counts.get(record.levelname, 0) + 1
    return True
