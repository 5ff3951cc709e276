"""Import structlog without rich. A service starts sooner and takes less memory.

If rich is installed, structlog imports it for coloured tracebacks. The logs of the services format
tracebacks in `observe`, so they don't need rich.
"""

import sys

__all__ = ("structlog",)

if "rich" in sys.modules or "structlog" in sys.modules:
    import structlog
else:
    sys.modules["rich"] = None  # type: ignore[assignment]  # None: import fails
    try:
        import structlog
    finally:
        del sys.modules["rich"]
