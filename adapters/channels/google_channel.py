"""A channel of Google's: every call goes out with a token of the service account."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from adapters.channels.google_account import Token, forget_token, is_account, service_account, token_for
from adapters.channels.http_channel import ChannelCredentials, HttpChannel, S
from adapters.channels.line import Answer, Broken, Request


class GoogleCredentials(ChannelCredentials):
    """A service account with access."""

    service_account: SecretStr = Field(description="The JSON key file of the service account, all of it.")

    _is_account = field_validator("service_account")(is_account)


class GoogleChannel(HttpChannel[S, GoogleCredentials]):
    """Calls as the service account, with a token for ``scope``."""

    scope: ClassVar[str]
    credentials_model = GoogleCredentials

    async def call(self, request: Request) -> Answer | Broken:
        account = service_account(self.credentials.service_account.get_secret_value())
        token = await token_for(self.line, account, self.scope)
        if not isinstance(token, Token):
            return token
        headers = {**request.headers, "authorization": f"Bearer {token.text}"}
        answer = await super().call(replace(request, headers=headers))
        if isinstance(answer, Answer) and answer.status == 401:
            forget_token(account, self.scope)
        return answer
