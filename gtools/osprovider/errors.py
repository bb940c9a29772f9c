"""Why a deployment failed."""


class DeployError(Exception):
    """A deployment can't go on; the text is for the administrator and holds no secret."""
