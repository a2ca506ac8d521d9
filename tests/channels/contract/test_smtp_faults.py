"""The fault matrix of SMTP."""

from __future__ import annotations

import pytest

from tests.channels.contract.smtp_faults import SMTP_FAULTS, struck_by_smtp


@pytest.mark.parametrize("fault", sorted(SMTP_FAULTS))
async def test_a_fault_of_a_relay_means_what_it_must(fault: str) -> None:
    result = await struck_by_smtp(fault)
    assert type(result) is SMTP_FAULTS[fault].means, result
