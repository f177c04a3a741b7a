"""Where a URL's bytes lie: its place in a cache or mirror, and how to name it without giving secrets away."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from covid_datasets.fetch.hosts import host_of

_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]|[. ]$')
_DELIMITER = re.compile(r"([?&;#])")
_SECRET = (
    "token",
    "sig",
    "key",
    "secret",
    "passw",
    "pwd",
    "credential",
    "auth",
    "jwt",
    "accesscode",
    "session",
    "cookie",
    "bearer",
    "ticket",
    "assertion",
)
_SHORT = {"sv", "code", "pass", "pin", "otp", "sas"}  # names so short that they are parts of innocent ones
_LITERAL = "/ !$&'()*+,;=@[]{}^`~"  # what a name keeps; the rest would mean something else in a URL
_LONGEST_SHOWN = 1000  # characters of a URL in a message; hosts may redirect to longer ones
_METADATA = {"100.100.100.200", "fd00:ec2::254"}  # clouds hand out their keys there too
_LONGEST_NAME = 180  # bytes; file systems allow 255, and locks, parts and records append to it


def redacted(url: str) -> str:
    """Write a URL for people: without user, password, or values of keys that look secret.

    >>> redacted("https://me:pw@host/a.zip?token=abc&page=2")
    'https://host/a.zip?token=...&page=2'
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # no URL; what stands before an @ may be a password all the same
        begin, slashes, rest = url.partition("//")
        shown = f"{begin}{slashes}{rest.rpartition('@')[2]}"
    else:
        shown = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    if len(shown) > _LONGEST_SHOWN:
        shown = f"{shown[:_LONGEST_SHOWN]}…"
    return _without_values(shown)


def is_internal(host: str) -> bool:
    """Tell whether an address, however it is spelled, is one at which a machine or cloud serves itself only.

    >>> [is_internal(host) for host in ("169.254.169.254", "0xA9FEA9FE", "fe80::1", "::ffff:169.254.0.1", "10.0.0.1")]
    [True, True, True, True, False]
    """
    import socket
    from ipaddress import IPv4Address, IPv6Address, ip_address

    address: IPv4Address | IPv6Address
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        try:
            address = IPv4Address(socket.inet_aton(host))
        except (OSError, ValueError):
            return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_link_local or str(address) in _METADATA


def place(url: str) -> str:
    """Give the relative path ``<host>/<path>`` that a URL has in every cache and mirror.

    Nothing is decoded; what is unsafe in file names is percent-encoded; a query becomes a hash in the name. A file of a
    host of research data has the site's name in place of the scheme.

    >>> place("https://github.com/a/b/raw/x%20y.zip"), place("https://h:81/get?id=1"), place("http://h/../x")
    ('github.com/a/b/raw/x%20y.zip', 'h_81/get-d9fc91d45c09', 'h/.%2E/x')
    >>> place("zenodo:3757476/cases.zip"), place("kaggle:owner/set@2")
    ('zenodo.org/3757476/cases.zip', 'kaggle.com/owner/set@2.zip')
    """
    if (found := host_of(url)) and not url.startswith(("http:", "https:")):
        url = f"https://{found[0].site}/{quote(found[0].stored_as(found[1]), safe=_LITERAL)}"
    parts = urlsplit(url)
    host = (parts.hostname or "localhost") + (f"_{parts.port}" if parts.port else "")
    names = [_UNSAFE.sub(_encoded, name) for name in parts.path.split("/") if name] or ["index"]
    if parts.path.endswith("/"):
        names.append("index")
    if parts.query:
        names[-1] = _tagged(names[-1], parts.query)
    return "/".join([_UNSAFE.sub(_encoded, host), *(_shortened(name) for name in names)])


def mirrored(url: str, mirror: str) -> str:
    """Give the address at which a mirror (folder or URL) has the bytes of ``url``.

    >>> mirrored("https://github.com/a%20b.zip", "/mnt/mirror/")
    '/mnt/mirror/github.com/a%20b.zip'
    >>> mirrored("https://github.com/a%20b.zip", "https://mirror.hospital.org/covid")
    'https://mirror.hospital.org/covid/github.com/a%2520b.zip'
    """
    name = place(url)
    # A web server decodes what it is asked for once, and has to arrive at the file's literal name.
    return f"{mirror.rstrip('/')}/{quote(name) if urlsplit(mirror).scheme in ('http', 'https', 'file') else name}"


def local_path(address: str) -> Path | None:
    """Give the path of a folder name or ``file://`` URL, ``None`` for anything else.

    >>> local_path("file:///data/x").as_posix(), local_path("s3://bucket/x"), local_path("zenodo:1/a.zip")
    ('/data/x', None, None)
    """
    if host_of(address):
        return None
    if "://" not in address:
        return Path(address).expanduser().absolute()
    parts = urlsplit(address)
    return Path(unquote(parts.path)) if parts.scheme in ("file", "local") else None


def _without_values(text: str) -> str:
    """Write ``...`` for what secret keys of a query or fragment stand for, be it a URL in a URL."""
    first, *rest = _DELIMITER.split(text)
    shown, hidden = [first], False
    for delimiter, pair in zip(rest[::2], rest[1::2], strict=True):
        if hidden and delimiter == "?" and "?" in shown:
            continue  # a question mark in a value is a part of it
        name, equals, value = pair.partition("=")
        hidden = bool(equals) and _is_secret(name)
        shown += [delimiter, name, equals, "..." if hidden or _holds_secret(value) else value]
    return "".join(shown)


def _is_secret(name: str) -> bool:
    letters = re.sub(r"[^a-z]", "", unquote(name).lower())
    return letters in _SHORT or any(word in letters for word in _SECRET)


def _holds_secret(value: str) -> bool:
    """Tell whether a value is itself a URL, percent-encoded, with a password or secret values."""
    inner = unquote(value)
    return inner != value and redacted(inner) not in (inner, f"{inner[:_LONGEST_SHOWN]}…")


def _encoded(match: re.Match[str]) -> str:
    return f"%{ord(match.group()):02X}"


def _tagged(name: str, text: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    tag = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{stem}-{tag}{dot}{suffix}" if stem else f"{name}-{tag}"


def _shortened(name: str) -> str:
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    suffix = "".join(Path(name).suffixes[-2:])[-20:]
    return name.encode()[: _LONGEST_NAME - 40].decode(errors="ignore") + _tagged("", name) + suffix
