"""How a service would word an error."""

from __future__ import annotations

import json
import uuid
from xml.sax.saxutils import escape


def error(style: str, status: int, code: str, message: str) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status line, headers and body of an error, as the service words it."""
    number = str(uuid.uuid4())
    headers = [("x-amzn-RequestId", number)]
    if style == "json":
        headers += [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", code)]
        body = json.dumps({"__type": code, "message": message, "Message": message})
    else:
        headers += [("Content-Type", "application/xml")]
        inner = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
        plain = f"<Error>{inner}<RequestId>{number}</RequestId></Error>"
        typed = f"<Error><Type>Sender</Type>{inner}</Error><RequestId>{number}</RequestId>"
        body = plain if style == "s3" else f"<ErrorResponse>{typed}</ErrorResponse>"
    return f"{status} {code}", headers, body.encode()
