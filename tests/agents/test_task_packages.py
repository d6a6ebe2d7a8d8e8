"""What a ready task needs is missed when it is made, not amid a call."""

from __future__ import annotations

import pytest

from antiphon import ConfigurationError, GetEmailTask, GetPhoneNumberTask, GetYesNoTask


@pytest.mark.parametrize(("task", "package"), [(GetEmailTask, "email_validator"), (GetPhoneNumberTask, "phonenumbers")])
def test_a_missing_package_is_named_before_the_call(task: type, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert task.package == package  # type: ignore[attr-defined]
    task()
    monkeypatch.setattr(task, "package", "a_package_that_nobody_has")
    with pytest.raises(ConfigurationError, match=r"a_package_that_nobody_has.*antiphon\[tasks\]"):
        task()
    GetYesNoTask("Is that so?")
