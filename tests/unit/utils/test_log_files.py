"""Log files: where the settings want them, of a bounded size, with nothing lost."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from auto_voice.errors import SettingsError
from auto_voice.settings import load
from auto_voice.utils.logging_config import record_counts, setup_logging

SHIPPED = Path(__file__).parents[3] / "config" / "logging_config.yaml"
LINES = 20_000
WRITERS = 4


def setup(**settings):
    setup_logging(load({f"AUTOVOICE_{key.upper()}": str(value) for key, value in settings.items()}))


def lines(folder):
    found = [line for path in folder.glob("autovoice.log*") for line in path.open(encoding="utf-8")]
    return [json.loads(line) for line in found]


def test_a_folder_gets_what_standard_output_gets(tmp_path, capfd):
    setup(log_dir=tmp_path / "made" / "for it", log_format="console")
    logging.getLogger("some.where").warning("something", extra={"count": 3})
    [line] = lines(tmp_path / "made" / "for it")
    assert (line["level"], line["message"], line["count"]) == ("WARNING", "something", 3)
    assert "something count=3" in capfd.readouterr().out


def test_without_a_folder_there_is_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    setup()
    logging.getLogger().warning("something")
    assert list(tmp_path.iterdir()) == []


def test_secrets_are_kept_out_of_files_too(tmp_path):
    setup(log_dir=tmp_path, api_keys="me:open-sesame")
    logging.getLogger().warning("it said open-sesame")
    assert lines(tmp_path)[0]["message"] == "it said [redacted]"


def test_a_folder_that_cannot_be_written_is_a_wrong_setting(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(SettingsError, match="AUTOVOICE_LOG_DIR cannot be written"):
        setup(log_dir=tmp_path / "file" / "logs")


def test_lines_are_counted_by_their_level():
    setup()
    before = record_counts().get("ERROR", 0)
    logging.getLogger("some.where").error("something")
    assert record_counts()["ERROR"] == before + 1


def test_another_configuration_takes_the_shipped_ones_place(tmp_path):
    own = yaml.safe_load(SHIPPED.read_text())
    own["handlers"]["file"].update(filename="own.log")
    own["loggers"] = {"noisy": {"level": "ERROR"}}
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(own))
    setup(log_config=path, log_dir=tmp_path)
    logging.getLogger("noisy").warning("not this")
    logging.getLogger("other").warning("but this")
    logged = (tmp_path / "own.log").read_text()
    assert "but this" in logged and "not this" not in logged


@pytest.mark.parametrize(
    "text",
    ["[", "- a list", "version: 2", "version: 1\nhandlers: {stdout: {class: no.such.Handler}}"],
)
def test_a_configuration_that_makes_no_sense_is_a_wrong_setting(tmp_path, text):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match="AUTOVOICE_LOG_CONFIG"):
        setup(log_config=path)


def test_a_configuration_that_is_not_there_is_a_wrong_setting(tmp_path):
    with pytest.raises(SettingsError, match="AUTOVOICE_LOG_CONFIG cannot be read"):
        setup(log_config=tmp_path / "missing.yaml")


def test_files_are_10_mb_with_5_older_ones():
    handler = yaml.safe_load(SHIPPED.read_text())["handlers"]["file"]
    assert (handler["maxBytes"], handler["backupCount"]) == (10 * 2**20, 5)


@pytest.mark.slow
def test_processes_that_write_together_lose_nothing_where_files_are_rotated(tmp_path):
    """80,000 lines of four processes, over several rotations."""
    own = yaml.safe_load(SHIPPED.read_text())
    own["handlers"]["file"].update(maxBytes=4 << 20)  # of 14 MB in all, so nothing is dropped
    own["root"]["handlers"] = ["file"]
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(own))
    program = f"""if True:
        import logging, sys
        from auto_voice.settings import load
        from auto_voice.utils.logging_config import setup_logging
        setup_logging(load({{"AUTOVOICE_LOG_DIR": {str(tmp_path)!r},
                             "AUTOVOICE_LOG_CONFIG": {str(path)!r}}}))
        for number in range({LINES}):
            logging.info("line", extra={{"writer": int(sys.argv[1]), "number": number}})
    """
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(number)]) for number in range(WRITERS)
    ]
    assert [writer.wait(100) for writer in writers] == [0] * WRITERS
    assert len(list(tmp_path.glob("autovoice.log.*"))) in (2, 3, 4)
    found = sorted((line["writer"], line["number"]) for line in lines(tmp_path))
    assert found == [(writer, number) for writer in range(WRITERS) for number in range(LINES)]
