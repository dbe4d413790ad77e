"""What schemathesis, a program of its own, is told: how the bytes of tus are sent."""

import schemathesis

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
