"""
The trio that Trinity pins and the exceptiongroup that pytest brings both replace parts of the
`traceback` module, and fail each other: a failing test would show that instead of its own error.
"""
import traceback

originals = {
    name: traceback.TracebackException.__dict__[name]
    for name in ("__init__", "format")
}
import trio  # noqa: E402, F401  isort: skip

for name, original in originals.items():
    setattr(traceback.TracebackException, name, original)
