"""Send to S3, or to a store that speaks its protocol: small files whole, large ones in parts.

boto3 knows the protocol, finds credentials and signs; the bytes go over the same connection as
those of every target, so that proxies, certificates and the end of a request that hangs are the
same, too. Each request carries the SHA-256 of what it holds. An upload of parts is noted in
`Upload.resume`: a later attempt sends only the parts that are missing.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dropline.events import Proof
from dropline.station import Attempt, PermanentError, TransientError, Worker
from dropline.targets.access import Access
from dropline.targets.body import Body
from dropline.targets.client import Client
from dropline.targets.failures import is_address, refused
from dropline.targets.http import TIMEOUTS, Timeouts
from dropline.targets.resume import note, noted, outdated
from dropline.targets.source import Source
from dropline.targets.target import FOLDER_TYPE, Receipt, Upload, UrlIdentity

if TYPE_CHECKING:
    from types import ModuleType

#: A file up to this size goes whole; a larger one in parts of this size, held in memory.
PART = 8 << 20
#: S3 takes no more parts than this, so those of a file larger than 80 GB are larger.
MAX_PARTS = 10_000
#: Where a store without a region is said to be, as S3's own tools do.
REGION = "us-east-1"


class S3Target(UrlIdentity):
    """A bucket, or what lies below a prefix in it."""

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint: str | None = None,
        access: Access | None = None,
        timeouts: Timeouts = TIMEOUTS,
    ) -> None:
        """`endpoint`: the address of a store that is not AWS's.

        Without a user in `access`, credentials come from where boto3 finds them (environment,
        shared files, the machine's role). Raises ValueError with a sentence when a part does not
        fit, or when boto3 is not installed.
        """
        if not bucket or "/" in bucket:
            raise ValueError(f"“s3://{bucket}” names no bucket: use s3://bucket/prefix")
        if endpoint is not None and not is_address(endpoint):
            raise ValueError(f"“{endpoint}” is no address of an S3 store: use https://host")
        self._bucket = bucket
        self._prefix = prefix.strip("/")
        self._endpoint = endpoint.rstrip("/") if endpoint else None
        self._access = access or Access()
        if self._access.token is not None or self._access.headers:
            raise ValueError("S3 takes no token and no headers: give the access key as user")
        self._timeouts = timeouts
        boto3 = _import_boto3()
        try:
            session = boto3.Session(
                aws_access_key_id=self._access.user,
                aws_secret_access_key=self._access.password if self._access.user else None,
            )
            self._s3 = _make_client(session, self._endpoint)
        except Exception as error:
            raise ValueError(f"S3 cannot be used as it is set up: {error}") from error
        self._here = threading.local()  # the client is every worker's, the connection is not
        self._s3.meta.events.register("before-send.s3", self._send)

    @property
    def url(self) -> str:
        """The bucket and the prefix, with the endpoint where it is not AWS's own."""
        path = f"{self._bucket}/{self._prefix}".rstrip("/")
        return f"s3+{self._endpoint}/{path}" if self._endpoint else f"s3://{path}"

    def connect(self) -> Worker[Upload, Receipt]:
        """A sender with a connection of its own."""
        way = replace(self._access, user=None, password=None)  # they sign, and go nowhere
        client = Client(self._s3.meta.endpoint_url, way, self._timeouts, shown=self.url)
        return _Sender(self._s3, self._here, client, self._bucket, self._prefix, self.url)

    def _send(self, request: Any, **_: Any) -> Any:
        """Let the worker of this thread send what boto3 has signed in it."""
        return self._here.send(request)


def _make_client(session: Any, endpoint: str | None) -> Any:
    from botocore.config import Config

    return session.client(
        "s3",
        endpoint_url=endpoint,
        region_name=session.region_name or REGION,
        config=Config(
            retries={"total_max_attempts": 1},  # the station tries again, in its own time
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if endpoint else "auto"},
        ),
    )


class _Sender:
    """One worker's connection to the store."""

    def __init__(
        self,
        s3: Any,
        here: threading.local,
        client: Client,
        bucket: str,
        prefix: str,
        url: str,
    ) -> None:
        self._is_aws = url.startswith("s3://")
        self._s3 = s3
        self._here = here
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self._url = url
        self._attempt: Attempt | None = None

    def close(self) -> None:
        self._client.close()

    def serve(self, item: Upload, attempt: Attempt) -> Receipt:
        self._attempt = attempt
        self._here.send = self._over_the_wire
        with self._client.serving(attempt):
            if item.is_folder:
                return self._put(item, b"", FOLDER_TYPE)
            with Source(item, attempt) as source:
                if item.size > PART:
                    return self._put_parts(item, source)
                return self._put(item, source.read_exactly(item.size), "")

    # --- whole ------------------------------------------------------------------------------

    def _put(self, item: Upload, data: bytes, kind: str) -> Receipt:
        ours = _Sums.of(data)
        answer = self._call(
            "put_object",
            **self._where(item),
            Body=data,
            ChecksumSHA256=ours.checksum,
            **({"ContentType": kind} if kind else {}),
        )
        proof = self._verify(item, answer, ours)
        return self._receipt(item, ours.sha256.hex(), proof)

    # --- in parts ---------------------------------------------------------------------------

    def _put_parts(self, item: Upload, source: Source) -> Receipt:
        if old := outdated(item, self._url):
            self._forget(item, old)
        upload = noted(item, self._url)
        there = self._parts_there(item, upload) if upload else None
        if there is None:
            there = {}
            answer = self._call(
                "create_multipart_upload", **self._where(item), ChecksumAlgorithm="SHA256"
            )
            upload = self._told_in(answer, "UploadId")
            note(item, self._url, upload)
            self._now.checkpoint()
        parts: list[dict[str, Any]] = []
        sums, tags = b"", b""
        for number, data in enumerate(_pieces(source, item.size), 1):
            ours = _Sums.of(data)
            parts.append(self._have_part(item, upload, number, data, ours, there.get(number)))
            sums, tags = sums + ours.sha256, tags + ours.md5
        try:
            answer = self._call(
                "complete_multipart_upload",
                **self._where(item),
                UploadId=upload,
                MultipartUpload={"Parts": parts},
            )
        except PermanentError:
            item.resume = ""  # what lies there is of no use
            self._now.checkpoint()
            raise
        item.resume = ""
        whole = _Sums(hashlib.sha256(sums).digest(), _md5(tags), len(parts))
        proof = self._verify(item, answer, whole)
        return self._receipt(item, source.hash.hexdigest(), proof)

    def _parts_there(self, item: Upload, upload: str) -> dict[int, Mapping[str, Any]] | None:
        """The parts that an earlier attempt sent; None when the store has forgotten them."""
        there: dict[int, Mapping[str, Any]] = {}
        where = {**self._where(item), "UploadId": upload}
        more: dict[str, Any] = {}
        while True:
            try:
                answer = self._call("list_parts", **where, **more)
            except _NotThere:
                return None
            there |= {part["PartNumber"]: part for part in answer.get("Parts", ())}
            if not answer.get("IsTruncated"):
                return there
            more = {"PartNumberMarker": answer["NextPartNumberMarker"]}

    def _have_part(
        self,
        item: Upload,
        upload: str,
        number: int,
        data: bytes,
        ours: _Sums,
        known: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        """Send a part unless it is there already; returns how to name it at the end."""
        name = {"PartNumber": number, "ChecksumSHA256": ours.checksum}
        if known and known.get("Size") == len(data) and ours.confirmed_by(known):
            self._now.check()
            self._now.progressed(len(data))
            return {**name, "ETag": known["ETag"]}
        answer = self._call("upload_part", **self._where(item), UploadId=upload, **name, Body=data)
        if ours.confirmed_by(answer) is False:
            raise self._other_bytes(item)
        return {**name, "ETag": self._told_in(answer, "ETag")}

    def _forget(self, item: Upload, upload: str) -> None:
        """Have parts of an older state of the file thrown away: they cost."""
        with contextlib.suppress(TransientError, PermanentError):
            self._call("abort_multipart_upload", **self._where(item), UploadId=upload)

    # --- small matters ----------------------------------------------------------------------

    @property
    def _now(self) -> Attempt:
        assert self._attempt is not None
        return self._attempt

    def _key(self, item: Upload) -> str:
        return f"{self._prefix}/{item.wire_name}".lstrip("/")

    def _where(self, item: Upload) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._key(item)}

    def _receipt(self, item: Upload, digest: str, proof: Proof) -> Receipt:
        name = f"s3://{self._bucket}/{self._key(item)}"
        return Receipt(name, item.size, digest, duplicate=False, proof=proof)

    def _verify(self, item: Upload, answer: Mapping[str, Any], ours: _Sums) -> Proof:
        """How the store shows that it holds what was sent. Raises when it holds something else."""
        confirmed = ours.confirmed_by(answer)
        if confirmed is None:
            head = self._call("head_object", **self._where(item), ChecksumMode="ENABLED")
            confirmed = ours.confirmed_by(head)
            if head.get("ContentLength") != item.size:
                confirmed = False
        if confirmed is False:
            raise self._other_bytes(item)
        return Proof.DIGEST if confirmed else Proof.SIZE

    def _other_bytes(self, item: Upload) -> TransientError:
        return TransientError(
            f"{self._url} holds other bytes than were sent as “{self._key(item)}”."
        )

    # --- requests ---------------------------------------------------------------------------

    def _call(self, operation: str, **arguments: Any) -> Any:
        """An operation of S3, its errors told as ours."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._s3, operation)(**arguments)
        except ClientError as error:
            raise self._refusal(error.response) from error
        except BotoCoreError as error:
            raise PermanentError(f"{self._url} cannot be used: {error}") from error

    def _told_in(self, answer: Mapping[str, Any], name: str) -> str:
        """What an answer must tell."""
        if name not in answer:
            raise PermanentError(
                f"{self._url} answered, but not as an S3 store does (no {name}): check the address."
            )
        return str(answer[name])

    def _refusal(self, response: Mapping[str, Any]) -> Exception:
        error, meta = response.get("Error", {}), response.get("ResponseMetadata", {})
        status, code = int(meta.get("HTTPStatusCode", 0)), str(error.get("Code", ""))
        said = " ".join(str(error.get("Message", "")).split())[:300] or code
        sentence = f"{self._url} answered {status} {code}: {said}"
        if code in {"NoSuchUpload", "NoSuchKey"}:
            return _NotThere(f"{sentence} It is sent anew.")
        if code in {"BadDigest", "RequestTimeout", "SlowDown", "InvalidPart", "OperationAborted"}:
            return TransientError(sentence)
        remedies = {
            401: "check the access key and its secret.",
            403: "check the access key, its secret, and what it is allowed to do.",
            404: "check the name of the bucket.",
        }
        sentence = f"{sentence.rstrip('.')}: {remedies.get(status, 'check the bucket.')}"
        return refused(status, sentence, meta.get("HTTPHeaders", {}))

    def _over_the_wire(self, request: Any) -> Any:
        """Send what boto3 has signed, over our connection."""
        from botocore.awsrequest import AWSResponse

        headers = dict(request.headers)
        headers.pop("Expect", None)  # we wait for no interim answer
        body = request.body or b""
        if not isinstance(body, bytes):  # a file's bytes; what else is sent is short
            body = Body(body, int(headers["Content-Length"]), self._now)
        answer = self._client.request(self._now, request.method, request.url, body, headers)
        if not self._is_aws and 300 <= answer.status < 400:  # AWS's own lead to other regions
            raise answer.refusal(self._url)
        raw = _Raw(answer.body)
        return AWSResponse(request.url, answer.status, dict(answer.headers), raw)


@dataclass(frozen=True, slots=True)
class _Sums:
    """What S3 may tell of bytes; of an object in `parts` it is the digest of the parts' digests."""

    sha256: bytes
    md5: bytes
    parts: int = 0

    @classmethod
    def of(cls, data: bytes) -> _Sums:
        return cls(hashlib.sha256(data).digest(), _md5(data))

    @property
    def checksum(self) -> str:
        return base64.b64encode(self.sha256).decode()

    def confirmed_by(self, answer: Mapping[str, Any]) -> bool | None:
        """Whether an answer tells these; None when it tells none that can be compared.

        The tag is the MD5 of the bytes in some stores, and something else in others.
        """
        told = re.fullmatch(r"([\w+/]{43}=)(-\d+)?", answer.get("ChecksumSHA256") or "")
        if told:
            return told[1] == self.checksum
        tag = f"{self.md5.hex()}-{self.parts}" if self.parts else self.md5.hex()
        return True if str(answer.get("ETag", "")).strip('"') == tag else None


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


class _NotThere(TransientError):
    """What was to be gone on with is not there any more."""


class _Raw(io.BytesIO):
    """An answer's body as botocore reads it."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


def _import_boto3() -> ModuleType:
    try:
        import boto3
    except ModuleNotFoundError as error:
        raise ValueError("S3 needs boto3: install it by pip install 'dropline[s3]'") from error
    module: ModuleType = boto3
    return module


def _pieces(source: Source, size: int) -> Iterator[bytes]:
    part = max(PART, -(-size // MAX_PARTS))
    for start in range(0, size, part):
        yield source.read_exactly(min(part, size - start))
