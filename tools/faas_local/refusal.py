"""What the provider answers instead of doing as it was asked."""


class Refused(Exception):
    """The message is for whoever sits at faas-cli, who sees it as it is.

    Args:
        status: of the HTTP answer.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
