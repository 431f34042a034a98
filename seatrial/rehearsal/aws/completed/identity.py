"""IAM: moto's, with the audiences of identity providers, and policies that stay while somebody has them."""

from __future__ import annotations

from typing import Any

from moto.core.responses import EmptyResult
from moto.iam.exceptions import DeleteConflictException
from moto.iam.responses import IamResponse


class Identity(IamResponse):  # type: ignore[misc]  # moto counts as Any
    """One request."""

    def delete_policy(self) -> Any:
        """moto's, which deletes a policy that somebody has."""
        policy = self.backend.managed_policies.get(self._get_param("PolicyArn"))
        if policy is not None and policy.attachment_count:
            raise DeleteConflictException("Cannot delete a policy attached to entities.")
        return super().delete_policy()

    def attach_role_policy(self) -> Any:
        """moto's, which counts a policy twice that is attached twice; for AWS the second time is nothing new."""
        role = self.backend.get_role(self._get_param("RoleName"))
        return EmptyResult() if self._get_param("PolicyArn") in role.managed_policies else super().attach_role_policy()

    def _audiences(self) -> list[str]:
        provider = self.backend.get_open_id_connect_provider(self._get_param("OpenIDConnectProviderArn"))
        audiences: list[str] = provider.client_id_list
        return audiences

    def add_client_id_to_open_id_connect_provider(self) -> Any:
        """Accept tokens for one more audience; one that is accepted already is no error."""
        audiences, asked = self._audiences(), self._get_param("ClientID")
        if asked not in audiences:
            audiences.append(asked)
        return EmptyResult()

    def remove_client_id_from_open_id_connect_provider(self) -> Any:
        """Accept them no longer; one that was not accepted is no error."""
        audiences, asked = self._audiences(), self._get_param("ClientID")
        if asked in audiences:
            audiences.remove(asked)
        return EmptyResult()
