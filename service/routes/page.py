"""The annotator page. Its files hold no data, so they need no token; the API requests they make do."""

from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import Redirect

from service.page.static import answer_file, read_files, way_to_root

DOCUMENT = "page.html"
FILES = read_files("service.page")


@get("/annotate", include_in_schema=False, sync_to_thread=False)
def show_campaigns(request: Request[Any, Any, Any]) -> Redirect:
    """Campaigns are chosen on the start page."""
    query = request.url.query
    return Redirect(way_to_root(request) + (f"?{query}" if query else ""))


@get("/annotate/{campaign:str}", include_in_schema=False, sync_to_thread=False)
def show_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The annotator page. It is one document for all campaigns; its script reads the campaign from the address."""
    return answer_file(request, FILES[DOCUMENT])


@get("/page/{path:path}", include_in_schema=False, sync_to_thread=False)
def show_file(request: Request[Any, Any, Any], path: FromPath[str]) -> Response[bytes]:
    """A stylesheet, script or picture of a page."""
    name = path.removeprefix("/")
    if name not in FILES:
        raise NotFoundException(f"the pages have no file {name!r}")
    return answer_file(request, FILES[name])


PAGE = (show_campaigns, show_page, show_file)
