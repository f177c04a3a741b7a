"""The addresses of the page, and what each answers. All of it is read; there is no address that changes anything."""

from __future__ import annotations

import json
from asyncio import Semaphore
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from covid_datasets.errors import CovidDatasetsError, NotThereError, UsageError
from covid_datasets.harmless import visible
from covid_datasets.transforms.windows import WINDOWS
from covid_datasets.view.browse.ask import RANGES, SORTED, Ask
from covid_datasets.view.browse.guard import App, Guard
from covid_datasets.view.browse.looking import ASKED_AT_ONCE, SEEN_AT_ONCE, Looking
from covid_datasets.view.browse.pixels import AUTO
from covid_datasets.view.browse.save import FORMS, saved
from covid_datasets.view.browse.shelf import GoneError, Place, Shelf

MOST = 500
"""Rows of one answer."""
_HUNG_UP = 499
"""The usual number, in logs, for who hung up before the answer; nobody reads it."""
_PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/browse.js": ("browse.js", "text/javascript; charset=utf-8"),
    "/browse.css": ("browse.css", "text/css; charset=utf-8"),
}
_STATUS = {GoneError: 410, NotThereError: 404, UsageError: 400}
"""What an error of ours is in HTTP, the first that fits; any other is 422, of a row that cannot be shown."""
_JPEG, _PNG = "image/jpeg", "image/png"
Answer = Callable[[Request], Response]


def make_app(shelf: Shelf, token: str, port: int) -> App:
    """Return the application for one shelf, behind its guard."""
    looking = Looking(shelf)

    def about(request: Request) -> Response:
        builds = [
            {"id": each.built.id, "version": each.built.version, "config": each.built.config, "rows": each.built.rows}
            for each in shelf.places.values()
        ]
        told = {"rows": shelf.rows, "builds": builds, "left_out": list(shelf.left_out.values())}
        told |= {"choices": shelf.choices, "ranges": RANGES, "orders": SORTED, "windows": [AUTO, *WINDOWS]}
        return _json(told)

    def rows(request: Request) -> Response:
        ask = _ask(request)
        start, count = (_number(request.query_params.get(name, ""), name) for name in ("start", "count"))
        return _json({"total": len(shelf.select(ask)), "rows": shelf.page(ask, start, min(count, MOST))})

    def counts(request: Request) -> Response:
        return _json(shelf.counts(_ask(request)))

    def sample(request: Request) -> Response:
        place, row = _where(shelf, request)
        return _json({"row": shelf.told(place, row), "beside": shelf.beside(place, row)})

    def planes(request: Request) -> Response:
        stack = looking.stack(*_where(shelf, request))
        told = {"kind": stack.kind, "count": len(stack), "hounsfield": stack.hounsfield, "hertz": stack.hertz}
        return _json(told | {"masks": list(stack.marks)})

    def thumb(request: Request) -> Response:
        return Response(looking.thumbnail(*_where(shelf, request)), media_type=_JPEG)

    def plane(request: Request) -> Response:
        number = _number(request.path_params["number"], "plane")
        window = request.query_params.get("window", AUTO)
        return Response(looking.plane(*_where(shelf, request), number, window), media_type=_PNG)

    def mask(request: Request) -> Response:
        number = _number(request.path_params["number"], "plane")
        return Response(looking.mask(*_where(shelf, request), request.path_params["name"], number), media_type=_PNG)

    def save(request: Request) -> Response:
        form = request.path_params["form"]
        pieces = saved(shelf, form, shelf.select(_ask(request)))
        named = {"content-disposition": f'attachment; filename="{FORMS[form]}"'}
        return StreamingResponse(pieces, media_type="text/csv; charset=utf-8", headers=named)

    answers: dict[str, Answer] = dict.fromkeys(_PAGE, _static) | {"/favicon.ico": lambda _: Response(status_code=204)}
    answers |= {"/about": about, "/rows": rows, "/counts": counts, "/save/{form}": save}
    answers |= {"/sample/{build}/{row}": sample}
    pictures = {f"/{each.__name__}/{{build}}/{{row}}": each for each in (planes, thumb)}
    pictures |= {"/plane/{build}/{row}/{number}": plane, "/mask/{build}/{row}/{name}/{number}": mask}
    asked, seen = Semaphore(ASKED_AT_ONCE), Semaphore(SEEN_AT_ONCE)
    routes = [Route(path, _answering(answer, asked), methods=["GET"]) for path, answer in answers.items()]
    routes += [Route(path, _answering(answer, seen), methods=["GET"]) for path, answer in pictures.items()]
    return Guard(Starlette(routes=routes), token, port)


def _static(request: Request) -> Response:
    name, kind = _PAGE[request.url.path]
    return Response((files("covid_datasets.view.browse") / "page" / name).read_bytes(), media_type=kind)


def _answering(answer: Answer, free: Semaphore) -> Callable[[Request], Awaitable[Response]]:
    """Answer in a thread when one is free, if somebody still waits; an error of ours is a status and its words."""

    async def endpoint(request: Request) -> Response:
        try:
            async with free:
                if await request.is_disconnected():
                    return Response(status_code=_HUNG_UP)
                return await run_in_threadpool(answer, request)
        except CovidDatasetsError as error:
            status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 422)
            return _json({"error": type(error).__name__, "message": str(error)}, status)

    return endpoint


def _json(value: Any, status: int = 200) -> Response:
    text = json.dumps(_harmless(value), ensure_ascii=True, allow_nan=False, default=str)
    return Response(text, status, media_type="application/json")


def _harmless(value: Any) -> Any:
    """Show control characters of what sources wrote as escapes, and numbers that JSON has not as text."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {key: _harmless(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_harmless(each) for each in value]
    return str(value) if isinstance(value, float) and value - value != 0 else value


def _ask(request: Request) -> Ask:
    return Ask.read(request.query_params.get("ask", ""))


def _where(shelf: Shelf, request: Request) -> tuple[Place, int]:
    row = _number(request.path_params["row"], "row")
    return shelf.place(request.path_params["build"], row), row


def _number(text: str, what: str) -> int:
    """Read a whole number of few digits: one of thousands takes Python long to read."""
    if not (1 <= len(text) <= 9 and text.isascii() and text.isdigit()):
        raise UsageError(f"{what}: expected a whole number of at most 9 digits, found {text[:12]!r}")
    return int(text)
