"""An issue or an announcement for a great many readers, piece by piece."""
