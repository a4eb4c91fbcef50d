"""The most resident memory a process ever held, as Linux counts it (VmHWM).

Not getrusage's ru_maxrss: that starts with what the process held that started this one.
"""

from pathlib import Path


def peak_kib(process_id: int | None = None) -> int:
    """Of a process, of this one by default."""
    status = Path(f"/proc/{process_id or 'self'}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
