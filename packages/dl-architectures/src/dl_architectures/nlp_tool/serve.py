"""Open the page: check what was asked for, then hand over to Streamlit's server, in this process."""

import errno
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamlit.web import bootstrap

from dl_architectures.nlp.api import Tool
from dl_architectures.nlp_tool import resources
from dl_architectures.nlp_tool.feedback import Feedback
from dl_architectures.nlp_tool.options import PageOptions
from dl_shared.errors import InputError

LOCAL = ("localhost", "127.0.0.1", "::1")
_LIGHT = {
    "primaryColor": "#0072B2",
    "backgroundColor": "#FFFFFF",
    "secondaryBackgroundColor": "#F3F6F9",
    "textColor": "#1B2733",
}
_DARK = {
    "primaryColor": "#56B4E9",
    "backgroundColor": "#12181F",
    "secondaryBackgroundColor": "#1C252F",
    "textColor": "#E6EBF0",
}


def serve(options: PageOptions, make_tool: Callable[[], Tool]) -> None:
    """Serve the page until Ctrl-C.

    Args:
        options: where.
        make_tool: called when the first person comes.

    Raises:
        InputError: if the feedback database cannot be used, or the port is taken.
    """
    Feedback(options.database).close()  # what is wrong with it is told here, not to whom comes first
    _check_port(options)
    resources.configure(make_tool, lambda: Feedback(options.database))
    flags = settings(options)
    bootstrap.load_config_options(flags)
    bootstrap.run(str(Path(__file__).with_name("app.py")), False, [], flags)


def settings(options: PageOptions) -> dict[str, Any]:
    """Streamlit's settings, under the names of its flags."""
    local = options.address in LOCAL
    return {
        "server_address": options.address,
        "server_port": options.port or _free_port(options.address),
        "server_headless": not options.browser,
        "server_showEmailPrompt": False,
        "server_enableXsrfProtection": True,
        "server_enableCORS": True,  # Streamlit's name for refusing what other pages send
        "server_allowedHosts": list(LOCAL) if local else [],  # else a page elsewhere could call itself localhost
        "server_maxUploadSize": 1,  # MB; the page takes no files
        "server_fileWatcherType": "none",
        "browser_gatherUsageStats": False,
        "client_showErrorDetails": "none",
        "client_toolbarMode": "viewer",
        **{f"theme_light_{name}": value for name, value in _LIGHT.items()},
        **{f"theme_dark_{name}": value for name, value in _DARK.items()},
    }


def _check_port(options: PageOptions) -> None:
    """Streamlit would log what is wrong and end with a status of its own."""
    refusals: list[OSError] = []
    try:
        places = socket.getaddrinfo(options.address, options.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise _cannot_serve(options, error) from None
    for family, kind, protocol, _, place in places:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(place)
        except OSError as error:
            refusals.append(error)
    # localhost may stand for two addresses, of which a machine need not have both.
    if len(refusals) == len(places) or any(error.errno == errno.EADDRINUSE for error in refusals):
        raise _cannot_serve(options, refusals[0])


def _cannot_serve(options: PageOptions, error: OSError) -> InputError:
    return InputError(
        f"the page cannot be served at {options.address}:{options.port}: {error.strerror}; "
        "choose another --port or --address"
    )


def _free_port(address: str) -> int:
    with socket.create_server((address, 0)) as probe:
        return probe.getsockname()[1]
