"""A task that shows its secrets in every way that a program might, and says which bytes it showed.

What it showed is written to $SHOWN, outside of everything that is kept of a run: a line of
hexadecimal digits for each form. A test looks for those bytes everywhere else.
"""

import base64
import html
import json
import os
import shlex
import signal
import sys
import time
import urllib.parse

NAMES = [f"S{i}" for i in range(20)]


def values():
    return [os.environb[name.encode()] for name in NAMES]


def shown(*forms):
    with open(os.environ["SHOWN"], "a") as file:
        for form in forms:
            file.write(form.hex() + "\n")


def put(form, stream=1):
    """One write, one form."""
    os.write(stream, form + b"\n")


def cores(value, encode):
    """What of base64 is the same whatever stands around the value."""
    for before in range(3):
        first = -(-before * 8 // 6)
        end = (before + len(value)) * 8 // 6
        yield encode(b"\0" * before + value)[first:end]


def forms(value):
    text = value.decode()
    yield value
    yield value.hex().encode()
    yield value.hex().upper().encode()
    for safe in ["", "/", "/:?=&+", "!*'()"]:
        yield urllib.parse.quote(value, safe=safe).encode()
    yield urllib.parse.quote_plus(value).encode()
    yield urllib.parse.quote(value).lower().encode() if text.islower() else value
    for is_ascii in [True, False]:
        yield json.dumps(text, ensure_ascii=is_ascii)[1:-1].encode()
    yield json.dumps(text)[1:-1].replace("/", "\\/").encode()
    yield html.escape(text).encode()
    yield shlex.quote(text).encode()[1:-1] if shlex.quote(text) != text else value
    yield repr(text)[1:-1].encode()
    yield repr(value)[2:-1].encode()


def show():
    for value in values():
        for form in forms(value):
            put(form)
            put(b"in the middle: " + form + b".", 2)
            shown(form)
        for encode in [base64.b64encode, base64.urlsafe_b64encode]:
            for before in [b"", b"u", b"u:", b"user:"]:
                put(encode(before + value + b" and more"))
            shown(*cores(value, encode))
        put(base64.encodebytes(b"user:" + value))
        # A line of base64 that is broken where encoders break it still holds what it held.
        whole = base64.b64encode(value)
        shown(*(whole[i : i + 40] for i in range(0, len(whole) - 40, 20)))
    with open("note", "wb") as file:
        file.write(b"\n".join(values()))


def split():
    for value in values():
        for at in sorted({1, len(value) // 2, len(value) - 1}):
            os.write(1, b"before " + value[:at])
            time.sleep(0.02)
            os.write(1, value[at:] + b" after\n")
        for byte in value:
            os.write(2, bytes([byte]))
        os.write(2, b"\n")


def cut(value):
    part = value[: max(4, len(value) * 3 // 4)]
    shown(part)
    for stream in [1, 2]:
        os.write(stream, b"the last words are " + part)
    os.kill(os.getpid(), signal.SIGKILL)


def throw(value):
    with open("netrc", "wb") as file:
        file.write(value)
    try:
        raise KeyError(value.decode())
    except KeyError:
        raise RuntimeError("cannot log in with " + value.decode())


def name(value):
    if len(value) > 150:
        value = values()[1]  # no form of it is short enough for a name
    file = value.decode()
    if "/" in file or "\n" in file:
        file = base64.urlsafe_b64encode(value).decode()
    shown(file.encode())
    open(sys.argv[3] + "/" + file, "w").close()


def look_around():
    """What others can see: the command lines of all processes."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read()
        except OSError:
            continue
        for value in values():
            if value in line:
                sys.exit(9)


what = sys.argv[1]
if what in ("cut", "throw", "name"):
    globals()[what](values()[int(sys.argv[2])])
else:
    globals()[what]()
