"""``python -m auto_voice``."""

from auto_voice.cli import main

if __name__ == "__main__":
    main()
