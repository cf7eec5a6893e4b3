"""A run as one page, many runs as a comparison: self-contained HTML that works without scripts and network."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dl_shared.report.compare import write_comparison
    from dl_shared.report.page import write_page

__all__ = ["write_comparison", "write_page"]


def __getattr__(name: str) -> Any:
    """Import the template engine only when a page is written, so that `dl-report --help` stays fast."""
    if name == "write_page":
        from dl_shared.report.page import write_page

        return write_page
    if name == "write_comparison":
        from dl_shared.report.compare import write_comparison

        return write_comparison
    raise AttributeError(name)
