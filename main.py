"""The process entry without an installed console script: ``python main.py``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))

from auto_voice import settings  # noqa: E402  (the path has to come first)
from auto_voice.errors import SettingsError  # noqa: E402
from auto_voice.utils.logging_config import setup_logging  # noqa: E402
from auto_voice.web.server import serve  # noqa: E402


def main() -> None:
    """Set up logging, then serve until a signal says otherwise."""
    try:
        configured = settings.load()
        setup_logging(configured)
        serve(configured)
    except SettingsError as error:
        print(error.message, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
