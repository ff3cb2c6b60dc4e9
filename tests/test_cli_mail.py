"""`spectral mail`: what lies in the file outbox, and the newest link."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from spectral.cli import main
from spectral.platform.mail.delivery import FileDelivery, Letter
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id


async def test_it_lists_the_mail_and_prints_the_newest_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPECTRAL_DATA_DIR", str(tmp_path))
    empty = CliRunner().invoke(main, ["mail"])
    assert (empty.exit_code, empty.stdout) == (0, "")
    assert "No mail in" in empty.stderr
    delivery = FileDelivery(tmp_path / "outbox", "Spectral <s@example.com>")
    for number, text in enumerate(("old https://x.test/1", "new https://x.test/2#token=abc", "no link")):
        await delivery.deliver(Letter(new_id(), f"{number}@example.com", f"Subject {number}", text, utc_now()))
    shown = CliRunner().invoke(main, ["mail"])
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert [line.split("  ")[1:] for line in lines[:3]] == [
        [f"{number}@example.com", f"Subject {number}"] for number in (2, 1, 0)
    ]
    assert lines[3:] == ["", "https://x.test/2#token=abc"]
