"""Uploaded images, whatever the client: multipart forms and raw bodies.

A field is its bytes, with or without a file name: `curl -F 'image=<a.tif'` sends none, older libraries send
`filename*=` alone, and some an empty one. Litestar's own reader takes such parts for text and decodes them.
"""

from base64 import b64decode
from binascii import Error as NotBase64Error
from typing import Any

from litestar import Request
from litestar.exceptions import ClientException, HTTPException
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser

MOST_PARTS = 100
RAW_TYPES = ("image/tiff", "image/jpeg", "image/png", "application/octet-stream")
"""Content types of bodies that are nothing but the image."""
PLAIN_ENCODINGS = ("", "binary", "8bit", "7bit")

Form = dict[str, bytes]
"""The fields of a multipart form; of several with one name, the last."""


async def read_image(request: Request[Any, Any, Any]) -> bytes:
    """The uploaded image: the field `image` of a multipart form, or the whole body.

    Raises:
        HTTPException: 415, the body is neither.
        ClientException: There is no such field, or the form is malformed.
    """
    content_type, _ = request.content_type
    if content_type in RAW_TYPES:
        return await request.body()
    return image_of(await read_form(request))


def image_of(form: Form) -> bytes:
    """The field `image`.

    Raises:
        ClientException: There is none.
    """
    if "image" not in form:
        raise ClientException("The multipart field `image` is missing; it must hold one raster.")
    return form["image"]


async def read_form(request: Request[Any, Any, Any]) -> Form:
    """The fields of a multipart form.

    Raises:
        HTTPException: 415, the body is none.
        ClientException: It is malformed or cut off.
    """
    content_type, options = request.content_type
    if content_type != "multipart/form-data":
        raise HTTPException(
            "Send the image as multipart/form-data in the field `image`, or as the whole body with the content type "
            f"{', '.join(RAW_TYPES[:3])}; not as {content_type or 'a body without a content type'!r}.",
            status_code=415,
        )
    try:
        boundary = options.get("boundary", "")
        # names in any encoding: latin-1 reads every byte, and the names that count are ASCII
        parser = PushMultipartParser(boundary, max_segment_count=MOST_PARTS, header_charset="latin-1")
        fields: Form = {}
        part, data = None, bytearray()
        async for chunk in request.stream():
            for event in parser.parse(chunk) if chunk else ():
                if isinstance(event, MultipartSegment):
                    part, data = event, bytearray()
                elif event:
                    data += event
                elif part is not None:
                    fields[part.name or ""] = _content(part, bytes(data))
        parser.close()
    except ParserLimitReached as error:
        raise ClientException(f"The multipart form is too large: {error}; at most {MOST_PARTS} parts.") from error
    except (MultipartError, UnicodeError) as error:
        raise ClientException(f"The multipart form is malformed or cut off: {error}.") from error
    return fields


def text_of(form: Form, name: str) -> str | None:
    """A field that holds text; None if there is none.

    Raises:
        ClientException: It is not UTF-8.
    """
    if name not in form:
        return None
    try:
        return form[name].decode()
    except UnicodeDecodeError as error:
        raise ClientException(f"The multipart field `{name}` is no UTF-8 text.") from error


def _content(part: MultipartSegment, data: bytes) -> bytes:
    """What a part holds.

    Raises:
        ClientException: Several files in one part, or an encoding of mail that forms do not have.
    """
    if (part.content_type or "").startswith("multipart/"):
        raise ClientException(f"The multipart field {part.name!r} holds parts of its own; send one file.")
    encoding = (part.header("Content-Transfer-Encoding") or "").strip().lower()
    if encoding in PLAIN_ENCODINGS:
        return data
    try:
        if encoding == "base64":
            return b64decode(data)
    except NotBase64Error as error:
        raise ClientException(f"The multipart field {part.name!r} is no base64: {error}.") from error
    raise ClientException(f"The multipart field {part.name!r} is encoded as {encoding!r}; send its bytes as they are.")
