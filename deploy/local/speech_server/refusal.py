"""An error in OpenAI's shape."""


class Refusal(Exception):
    """The answer to a request that the server does not do."""

    def __init__(self, status, message, kind="invalid_request_error", param=None, code=None):
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
