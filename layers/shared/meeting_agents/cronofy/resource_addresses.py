"""The presigned addresses of resources, resolved with the application's API key when they are needed."""

from meeting_agents.cronofy.client import CronofyClient
from meeting_agents.cronofy.client_secrets import ClientSecrets
from meeting_agents.cronofy.messages import CronofyResponse


class ResourceAddresses:
    """Resolves the addresses that a notification lists. How long a presigned address lasts is not documented."""

    def __init__(self, cronofy: CronofyClient, client_secrets: ClientSecrets) -> None:
        self._cronofy = cronofy
        self._client_secrets = client_secrets

    def resolve(self, url: str, data_center: str) -> CronofyResponse:
        """Return Cronofy's response, whose `download_url` is empty if it has no address.

        https://docs.cronofy.com/developers/api/meeting-agents/resource-download/. Raises `MissingSecret` and what
        `CronofyClient.resolve` raises.
        """
        api_key = self._client_secrets.api_key(data_center)
        response = self._cronofy.resolve(url, data_center, api_key)
        if response.status == 401:
            response = self._cronofy.resolve(
                url, data_center, self._client_secrets.api_key(data_center, refused=api_key)
            )
        return response
