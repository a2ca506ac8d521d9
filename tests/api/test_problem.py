"""What a caller is told of a body that cannot be read."""

from __future__ import annotations

from tests.api.conftest import Api


async def test_json_that_breaks_off_is_told_where_in_the_body(api: Api) -> None:
    headers = {**api.headers, "content-type": "application/json"}
    answer = await api.client.post("/v1/flows/validate", content=b'{"definition": {"name": "a\nb"}}', headers=headers)
    assert answer.status_code == 422
    told = answer.json()
    assert told["field"] == "body"
    assert told["detail"] == "body: is not JSON at its character 26 (Invalid control character at)."
