"""Import structlog without rich. A service starts sooner and takes less memory.

structlog imports rich, where it is installed, for tracebacks in colours. Our logs format their
tracebacks themselves (`observe`), so a service would load rich for nothing.
"""

import sys

__all__ = ("structlog",)

if "rich" in sys.modules or "structlog" in sys.modules:
    import structlog
else:
    sys.modules["rich"] = None  # type: ignore[assignment]  # Python's mark of what can't be imported
    try:
        import structlog
    finally:
        del sys.modules["rich"]
